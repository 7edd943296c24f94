// What both forms of the program do as a process: open the host, say what that took. Arguments: the folder of the parts, and the folder
// for their files.
// @ts-check

import { openHost } from './host.js';
import { archive, blocks, catalogue } from './interfaces.js';

/**
 * @typedef {object} Ready
 * @property {number} ms Since the process was started.
 * @property {number} rss Bytes.
 * @property {number} heap Bytes of the heap, and of what is kept outside of it, behind a collection.
 * @property {{ drivers: string[], formats: string[], catalogue: boolean }} found What there is behind the interfaces.
 * @property {string[]} loaded
 */

export async function run() {
  const [dir = '', folder = ''] = process.argv.slice(2);
  const host = await openHost({ fingerprint: FINGERPRINT, dirs: [dir], folder });
  const ms = process.uptime() * 1000;
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  /** @type {Ready} */
  const ready = {
    ms,
    rss,
    heap: heapUsed + external,
    found: { drivers: blocks.drivers(), formats: archive.formats(), catalogue: catalogue.isOpen() },
    loaded: host
      .list()
      .filter(({ state }) => state === 'loaded')
      .map(({ name }) => name),
  };
  host[Symbol.dispose]();
  console.log(JSON.stringify(ready));
}
