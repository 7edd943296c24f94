// Renders pages by one engine, which it is given once: its setting is for all of its users, as that of many libraries. Whoever wants another
// engine needs another one of this module.
// @ts-check

import { z } from 'zod';
import { log } from '../logger.js';

export const Page = z.object({ path: z.string().min(1), bytes: z.number().int().nonnegative(), text: z.string() });

export { z };

/** @typedef {{ path: string, bytes: number, text: string }} Page */
/** @typedef {{ VERSION: string, compile: (template: string) => (data: object) => string }} Engine */

const TEMPLATE = `<article>
<h1>{{path}}</h1>
<p>{{bytes}} bytes{{#if long}}, of which this is the beginning{{/if}}</p>
<pre>{{text}}</pre>
</article>
`;
const MOST = 20_000;

/** @type {{ version: string, template: (data: object) => string } | undefined} */
let current;

/** @param {Engine} engine */
export function use(engine) {
  if (current !== undefined) throw new Error(`renders by ${current.version} already`);
  current = { version: engine.VERSION, template: engine.compile(TEMPLATE) };
}

/** @param {unknown} page @throws ZodError */
export function render(page) {
  const { path, bytes, text } = Page.parse(page);
  if (current === undefined) throw new Error('there is no engine yet');
  log(`Handlebars ${current.version}`, `renders ${path}`);
  return current.template({ path, bytes, text: text.slice(0, MOST), long: text.length > MOST });
}
