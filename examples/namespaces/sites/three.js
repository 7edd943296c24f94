// What has not been moved to the next versions yet. Its settings are checked by zod 3, while the renderer uses the zod of everybody.
// @ts-check

import Handlebars from 'handlebars3';
import { z as old } from 'zod3';
import { use } from './renderer.js';

use(Handlebars);

export { Page, render, z } from './renderer.js';
export const version = Handlebars.VERSION;

/** @param {unknown} settings @throws the ZodError of zod 3 */
export const checkSettings = (settings) => old.object({ title: old.string() }).strict().parse(settings);

export { old };
