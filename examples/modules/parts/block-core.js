// The part that the other block parts stand on: drivers by the kind of file. It has no driver of its own, and whoever loads a driver
// has it loaded first.
// @ts-check

import { appendFileSync, mkdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { moduleInit } from 'coexist/module';
import { blocks, program } from '../interfaces.js';

/** @type {Map<string, import('../interfaces.js').Driver>} */
const drivers = new Map();

/**
 * For parts that depend on this one.
 * @param {import('../interfaces.js').Driver} driver
 */
export function registerDriver(driver) {
  drivers.set(driver.name, driver);
}

blocks.implement({
  drivers: () => [...drivers.keys()].sort(),
  list(path, bytes) {
    const extension = extname(path);
    const driver = [...drivers.values()].find(({ extensions }) => extensions.includes(extension));
    if (driver === undefined)
      throw new Error(`${path}: no driver is loaded for ${extension || 'files without extension'}`);
    return driver.list(bytes);
  },
});

/** Once for the process: the folder, and a line in its journal. */
moduleInit(
  'block',
  () => {
    mkdirSync(program.folder(), { recursive: true });
    appendFileSync(join(program.folder(), 'journal.txt'), 'block-core\n');
  },
  { scope: INIT_SCOPE },
);
