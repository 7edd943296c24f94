// A module that goes while a request for it is on its way, at every moment that there is: what the request says is what there is.

import { createLoader, inspectModules } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, told } from '../support/loaders.js';
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

test('a loaded dependency whose initialiser a load has begun, and given up, is given up with it', async () => {
  const stuck = `import { moduleInit } from 'coexist/module';
    globalThis.journal.push('base');
    moduleInit('late', ({ signal }) => new Promise(() => {
      signal.addEventListener('abort', () => globalThis.journal.push('aborted'));
    }));`;
  const { loader, options } = aHost([
    [{ name: 'base' }, stuck],
    [{ name: 'user', depends: ['base'] }, noting('user')],
  ]);
  using late = createLoader(options);
  await late.callInit('late');
  expect(told(await loader.load('base'))).toBe('loaded');
  const outcome = await late.load('user', { timeout: 50 });
  expect(told(outcome)).toBe('failed COEXIST_ETIMEDOUT base');
  expect(outcome.message).toContain('running its initialiser 1, of type "late"');
  // As callInit() does: nobody is left with a module that never gets initialised.
  expect(loader.list().map(({ state }) => state)).toEqual(['unloaded', 'unloaded']);
  expect(told(await loader.load('base'))).toBe('loaded');
  expect(journal()).toEqual(['base', 'aborted', 'base']);
});
