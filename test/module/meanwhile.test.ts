// What changes while a request is on its way: a module that goes, at every moment that there is, an initialiser that does not end, an
// interface that comes, and what is told of a loader. What the request says is what there is.

import { createLoader, defineInterface, inspectModules, stub } from 'coexist/module';
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

test('a phase that is called k turns behind the last look at a module, and before it is loaded, has run when it is', async () => {
  const body = `import { implement, moduleInit } from 'coexist/module';
    implement('meanwhile/phase', { version: 1, functions: { by: () => 'm' } });
    moduleInit('first', () => globalThis.meanwhile());
    moduleInit('late', () => { globalThis.journal.push(globalThis.seen()); });`;
  const table = defineInterface('meanwhile/phase', { version: 1, functions: { by: stub.value('nobody') } });
  let last = '';
  for (let turn = 0; last !== 'loaded'; turn++) {
    newJournal();
    const { loader } = aHost([[{ name: 'm', interfaces: { 'meanwhile/phase': 1 } }, body]]);
    const seen = (): string => `${loader.list()[0]?.state} ${table.by()}`;
    let late: Promise<unknown> | undefined;
    const call = async (): Promise<void> => {
      await turns(turn);
      last = loader.list()[0]?.state ?? '';
      late = loader.callInit('late');
    };
    let calling: Promise<void> | undefined;
    const meanwhile = (): void => {
      calling = call();
    };
    Object.assign(globalThis, { seen, meanwhile });
    await loader.callInit('first');
    expect(told(await loader.load('m'))).toBe('loaded');
    await calling;
    await late;
    expect(journal(), `after ${turn} turns`).toEqual([last === 'loaded' ? 'loaded m' : 'loading nobody']);
    table.withdraw();
  }
});

test('a CommonJS text may run as long as the longest of the requests that share it', async () => {
  const busy = 'globalThis.journal.push("a"); const end = Date.now() + 200; while (Date.now() < end);';
  const { loader } = aHost([[{ name: 'a' }, busy, 'a.cjs']]);
  const outcomes = await Promise.all([loader.load('a', { timeout: 50 }), loader.load('a')]);
  expect(outcomes.map(told)).toEqual(['failed COEXIST_ETIMEDOUT a', 'loaded']);
  expect(journal()).toEqual(['a']);
});

test('an interface that comes into the process in another version during a load is refused as one that was there', async () => {
  const body = `import { implement, moduleInit } from 'coexist/module';
    implement('meanwhile/i', { version: 1, functions: { f: () => 1 } });
    moduleInit('t', () => globalThis.meanwhile());`;
  const { loader, area } = aHost([[{ name: 'm', interfaces: { 'meanwhile/i': 1 } }, body]]);
  await loader.callInit('t');
  // Another thread has loaded another implementation.
  (globalThis as { meanwhile?: () => void }).meanwhile = () => void lib.noteInterface(area, 'meanwhile/i', 2, 0);
  const outcome = await loader.load('m');
  expect(told(outcome)).toBe('refused interface m');
  expect(outcome.message).toContain('version 1 of interface "meanwhile/i", expected 2, which the process has');
});

test('whoever is told of a loader changes nothing of it', async () => {
  const { loader } = aHost(
    [
      [{ name: 'a', depends: ['b'], objects: ['o'], targets: ['img'], interfaces: { 'meanwhile/j': 1 } }],
      [{ name: 'b', targets: ['img', 'ui'] }],
    ],
    { host: 'img', allow: ['b'] },
  );
  const [a, b] = loader.list();
  const refused = await loader.load('a');
  if (refused.outcome !== 'refused' || a === undefined || b === undefined) throw new Error(refused.message);
  for (const list of [a.depends, a.objects, b.targets, refused.error.expected]) {
    expect(() => (list as string[]).push('a', 'img')).toThrow(TypeError);
  }
  expect(() => Object.assign(a.interfaces, { 'meanwhile/k': 1 })).toThrow(TypeError);
  expect(await loader.load('a')).toMatchObject({ outcome: 'refused', reason: 'not-allowed', message: refused.message });
});

test('what a module implemented before anybody defined it goes with the module, without a trace', async () => {
  const body = `import { implement, moduleInit } from 'coexist/module';
    implement('meanwhile/undefined', { version: 1, functions: { f: () => 1 } });
    moduleInit('t', () => { throw new Error('t failed'); });`;
  const { loader } = aHost([[{ name: 'm', interfaces: { 'meanwhile/undefined': 1 } }, body]]);
  expect(told(await loader.load('m'))).toBe('loaded');
  const { interfaces } = lib.threadModules();
  expect(interfaces.get('meanwhile/undefined')?.waiting?.module).toBe('m');
  expect((await loader.callInit('t')).failures.map(({ module }) => module)).toEqual(['m']);
  expect(interfaces.has('meanwhile/undefined')).toBe(false);
});
