// The program as it is now.
// @ts-check

import Handlebars from 'handlebars';
import { use } from './renderer.js';

use(Handlebars);

export { Page, render, z } from './renderer.js';
export const version = Handlebars.VERSION;
