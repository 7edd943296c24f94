// The program at work: what it needs is loaded by what it does.
// @ts-check

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openHost } from '../../modules/host.js';
import { archive, blocks, catalogue, report } from '../../modules/interfaces.js';
import { walk } from '../walk.js';
import { digest } from './digest.js';

const MOST_FILES = 60;
const MOST_BYTES = 1e6;

/** @param {{ host: { fingerprint: string, dirs: string[], folder: string }, dir: string }} options */
export async function onDemand({ host: options, dir }) {
  const host = await openHost(options);
  const loaded = () => host.list().flatMap(({ name, state }) => (state === 'loaded' ? [name] : []));
  /** @type {{ by: string, loaded: string[] }[]} */
  const steps = [{ by: 'opened the host', loaded: loaded() }];
  const step = (/** @type {string} */ by) => {
    steps.push({ by, loaded: loaded() });
    console.log(`${by}: ${loaded().join(', ')}`);
  };

  // Taken before anything is there, as programs do; it works when it is.
  const { pack, formats } = archive;
  const stubs = { formats: formats(), drivers: blocks.drivers(), isOpen: catalogue.isOpen() };
  report.note('nobody hears this');
  console.log();

  const object = await host.loadFor({ object: 'driver:zip' });
  step('asked for the object driver:zip');
  const entries = read(dir);
  const packed = await pack(entries);
  const singles = await Promise.all(entries.map(async (entry) => (await pack([entry])).length));
  const rows = entries.map(({ path, bytes }, k) => ({ path, bytes: bytes.length, packed: singles[k] ?? 0 }));

  const database = await catalogue.put(rows);
  step('put files into the catalogue');
  const [total] = await catalogue.query('SELECT count(*) AS files, sum(bytes) AS bytes FROM files');
  const inside = blocks.list('catalogue.sqlite', database).map(({ path }) => path);

  const option = await host.loadFor({ option: 'report' });
  step('switched the option report on');
  report.note(`${packed.length} bytes as one archive`);
  const page = await report.render(`Files of ${dir}`, rows);
  const again = await host.loadAll();

  return {
    steps,
    stubs,
    outcomes: [object, option, ...again].map(({ name, outcome }) => `${name}: ${outcome}`),
    patched: { formats: formats(), drivers: blocks.drivers(), isOpen: catalogue.isOpen() },
    rows: rows.length,
    bytes: rows.reduce((sum, row) => sum + row.bytes, 0),
    total: { files: Number(total?.['files']), bytes: Number(total?.['bytes'] ?? 0) },
    inside,
    packed,
    sha256: digest(entries),
    page,
    close: () => host[Symbol.dispose](),
  };
}

/** The first files under a folder. @param {string} dir */
function read(dir) {
  return walk(dir)
    .files.filter(({ bytes }) => bytes <= MOST_BYTES)
    .slice(0, MOST_FILES)
    .flatMap(({ path }) => {
      try {
        return [{ path, bytes: new Uint8Array(readFileSync(join(dir, path))) }];
      } catch {
        // It has gone, or is somebody else's.
        return [];
      }
    });
}
