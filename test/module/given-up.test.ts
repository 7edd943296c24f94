// A module that goes while a request for it is on its way, at every moment that there is: what the request says is what there is.

import { inspectModules } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, told } from '../support/loaders.js';
import { lib } from '../support/module-entries.js';

beforeEach(() => {
  newJournal();
});

/** Turns of the microtask queue. */
async function turns(count: number): Promise<void> {
  for (let k = 0; k < count; k++) await undefined;
}

test('a dependency that is discarded k turns after a load began: it fails, unless it was loaded then', async () => {
  const body = 'globalThis.journal.push(__filename.at(-5));';
  const { loader, area } = aHost([
    [{ name: 'a', depends: ['b'] }, body, 'a.cjs'],
    [{ name: 'b' }, body, 'b.cjs'],
  ]);
  const both = { found: 'a discarded module', expected: 'a module', remedy: '' };
  const error = new lib.CoexistError('COEXIST_EFAILED', 'b is gone', both);
  let turn = 0;
  for (let done = false; !done; turn++) {
    const loading = loader.load('a');
    await turns(turn);
    const modules = [...lib.threadModules().areas.values()].find((each) => each.has('b'));
    done = modules?.get('a')?.state === 'loaded';
    modules?.get('b')?.steps.discard({ outcome: 'failed', culprit: 'b', message: 'b is gone', error });
    expect(told(await loading), `after ${turn} turns`).toBe(done ? 'loaded' : 'failed COEXIST_EFAILED b');
    expect(loader.list().map(({ state }) => state)).toEqual(['unloaded', 'unloaded']);
    expect(inspectModules({ area })).toEqual([]);
  }
  expect(turn).toBeGreaterThan(10);
  expect(journal()).toContain('a');
});
