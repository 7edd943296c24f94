// Initialisers: inert until the whole module is loaded, each once, in its phase, before or after the load; failing ones take their
// module with them (docs/ABI.md, clause 72 for those of the process).

import { createLoader, defineInterface, inspectModules, moduleInit, stub } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, told, written } from '../support/loaders.js';
import type { ModuleSource } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

const BOUND = "import { moduleInit, implement, defineInterface } from 'coexist/module';\n";

test('each entry of two types runs once in its phase, whether that comes before or after the load', async () => {
  const { loader } = aHost([[{ name: 'm' }, noting('m', ['early', 'late', 'early'])]]);
  expect(await loader.callInit('early')).toEqual({ type: 'early', ran: 0, failures: [] });
  expect(told(await loader.load('m'))).toBe('loaded');
  expect(journal()).toEqual(['m', 'm.early', 'm.early']);
  expect(await loader.callInit('late')).toEqual({ type: 'late', ran: 1, failures: [] });
  expect(await loader.callInit('late')).toEqual({ type: 'late', ran: 0, failures: [] });
  expect(await loader.callInit('early')).toEqual({ type: 'early', ran: 0, failures: [] });
  expect(journal()).toEqual(['m', 'm.early', 'm.early', 'm.late']);
});

test('entries run by the order of the phases, then of declaration; of dependencies first', async () => {
  const { loader } = aHost([
    [{ name: 'a', depends: ['b'] }, noting('a', ['y', 'x'])],
    [{ name: 'b' }, noting('b', ['x', 'y'])],
  ]);
  await loader.callInit('y');
  await loader.callInit('x');
  await loader.load('a');
  expect(journal()).toEqual(['b', 'b.y', 'b.x', 'a', 'a.y', 'a.x']);
});

test('asynchronous entries are awaited one after the other, and the module is loaded behind them', async () => {
  const body = `${BOUND}
    for (const k of [1, 2]) moduleInit('t', async ({ module, type, signal }) => {
      globalThis.journal.push(\`begin \${k} \${module} \${type} \${signal.aborted}\`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      globalThis.journal.push(\`end \${k}\`);
    });`;
  const { loader } = aHost([[{ name: 'm' }, body]]);
  await loader.callInit('t');
  const load = loader.load('m');
  await written('begin 1 m t false');
  expect(loader.list()[0]?.state).toBe('loading');
  expect(told(await load)).toBe('loaded');
  expect(journal()).toEqual(['begin 1 m t false', 'end 1', 'begin 2 m t false', 'end 2']);
});

test('a phase that is called while a module is being loaded is run before that is loaded', async () => {
  const slow = `${BOUND}
    moduleInit('first', () => new Promise((resolve) => { globalThis.journal.push('first'); globalThis.release = resolve; }));
    moduleInit('second', () => { globalThis.journal.push('second'); });`;
  const { loader } = aHost([[{ name: 'm' }, slow]]);
  await loader.callInit('first');
  const load = loader.load('m');
  await written('first');
  expect(await loader.callInit('second')).toMatchObject({ ran: 0 });
  expect(journal()).toEqual(['first']);
  (globalThis as unknown as { release(): void }).release();
  expect(told(await load)).toBe('loaded');
  expect(journal()).toEqual(['first', 'second']);
});

const FAILING = `${BOUND}
  globalThis.journal.push('m');
  implement('init/failing', { version: 1, functions: { f: () => 'real' } });
  moduleInit('t', () => { globalThis.journal.push('one'); });
  moduleInit('t', async () => { throw new Error('two is broken'); });
  moduleInit('t', () => { globalThis.journal.push('three'); });`;
const failing: ModuleSource = [{ name: 'm', interfaces: { 'init/failing': 1 } }, FAILING];
const failingTable = defineInterface('init/failing', { version: 1, functions: { f: stub.value('stub') } });

test('an entry that throws in the load fails it, and nothing of the module is left', async () => {
  const { loader, state } = aHost([failing]);
  await loader.callInit('t');
  const before = state();
  for (const _ of [1, 2]) {
    newJournal();
    const outcome = await loader.load('m');
    expect(told(outcome)).toBe('failed COEXIST_EFAILED m');
    expect(outcome.message).toMatch(/initialiser 2, of type "t": two is broken/);
    expect(outcome).toMatchObject({ error: { cause: { message: 'two is broken' } } });
    expect(journal()).toEqual(['m', 'one']);
    expect(state()).toEqual(before);
    expect(failingTable.status()).toMatchObject({ generation: 0 });
  }
  expect(await loader.callInit('t')).toMatchObject({ ran: 0, failures: [] });
});

test('what a failed module alone has defined is forgotten, what others have too stays', async () => {
  const kept = defineInterface('init/kept', { version: 1, functions: { f: stub.value('kept') } });
  const body = `import { defineInterface, stub } from 'coexist/module';
    const declare = (name) => defineInterface(name, { version: 1, functions: { f: stub.noop() } });
    declare('init/kept');
    declare('init/forgotten').implement({ f() {} });
    throw new Error('broken');`;
  const { loader } = aHost([[{ name: 'm' }, body]]);
  expect(told(await loader.load('m'))).toBe('failed COEXIST_EFAILED m');
  const fresh = defineInterface('init/forgotten', { version: 2, functions: { g: stub.value('other') } });
  expect([fresh.g(), kept.f()]).toEqual(['other', 'kept']);
  expect(() => defineInterface('init/kept', { version: 2, functions: { f: stub.noop() } })).toThrow(/version/);
});

test('an entry that throws in a later phase takes the module back out, with what depends on it', async () => {
  const { loader, state } = aHost([
    failing,
    [{ name: 'user', depends: ['m', 'helper'] }, noting('user', ['t'])],
    [{ name: 'helper' }, noting('helper')],
    [{ name: 'other' }, noting('other', ['t'])],
  ]);
  const before = state();
  expect(told(await loader.load('user'))).toBe('loaded');
  expect(told(await loader.load('other'))).toBe('loaded');
  expect(failingTable.f()).toBe('real');
  const report = await loader.callInit('t');
  expect(report.ran).toBe(2);
  expect(report.failures.map(({ module, error }) => [module, error.code])).toEqual([
    ['m', 'COEXIST_EFAILED'],
    // It was there for user alone.
    ['helper', 'COEXIST_EFAILED'],
    ['user', 'COEXIST_EFAILED'],
  ]);
  expect(journal().slice(-2)).toEqual(['one', 'other.t']);
  expect([failingTable.f(), failingTable.status().provider]).toEqual(['stub', undefined]);
  expect(loader.list().map(({ name, state }) => `${name} ${state}`)).toEqual([
    'helper unloaded',
    'm unloaded',
    'other loaded',
    'user unloaded',
  ]);
  expect(state()).not.toEqual(before);
});

test('an entry that never ends is given up in time, told so, and commits nothing later', async () => {
  const body = `${BOUND}
    moduleInit('t', ({ signal }) => new Promise((resolve) => {
      globalThis.journal.push('begun');
      globalThis.release = resolve;
      signal.addEventListener('abort', () => globalThis.journal.push('aborted'));
    }));
    globalThis.late = (what) => what === 'init' ? moduleInit('t', () => {}) : implement('init/late', { version: 1, functions: {} });`;
  const { loader, state } = aHost([[{ name: 'm' }, body]]);
  await loader.callInit('t');
  const before = state();
  const outcome = await loader.load('m', { timeout: 500 });
  expect(told(outcome)).toBe('failed COEXIST_ETIMEDOUT m');
  expect(outcome.message).toMatch(/"m" was still running its initialiser 1, of type "t" after 500 ms/);
  expect(journal()).toEqual(['begun', 'aborted']);
  const { release, late } = globalThis as unknown as { release(): void; late(what: string): void };
  release();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(state()).toEqual(before);
  for (const what of ['init', 'implement']) {
    expect(() => late(what)).toThrow(expect.objectContaining({ code: 'COEXIST_EREFUSED' }) as Error);
  }
});

test('a phase has its end, too', async () => {
  const { loader } = aHost([
    [{ name: 'never' }, `${BOUND}moduleInit('t', () => new Promise(() => {}));`],
    [{ name: 'other' }, noting('other', ['t'])],
  ]);
  await loader.loadAll();
  const report = await loader.callInit('t', { timeout: 500 });
  expect(report.ran).toBe(0);
  expect(report.failures.map(({ module, error }) => [module, error.code])).toEqual([
    ['never', 'COEXIST_ETIMEDOUT'],
    ['other', 'COEXIST_ETIMEDOUT'],
  ]);
  expect(loader.list().map(({ state }) => state)).toEqual(['unloaded', 'loaded']);
  expect(await loader.callInit('t')).toMatchObject({ ran: 1, failures: [] });
});

test("the program's own initialisers run first, each once, and may fail", async () => {
  const { loader } = aHost([[{ name: 'm' }, noting('m', ['own'])]]);
  await loader.load('m');
  moduleInit('own', ({ module }) => void journal().push(`program ${module}`));
  moduleInit('own', () => {
    throw new Error('broken');
  });
  const report = await loader.callInit('own');
  expect(report).toMatchObject({ ran: 2, failures: [{ module: undefined, error: { code: 'COEXIST_EFAILED' } }] });
  expect(journal()).toEqual(['m', 'program undefined', 'm.own']);
  expect(await loader.callInit('own')).toEqual({ type: 'own', ran: 0, failures: [] });
  expect(() => moduleInit('own', () => {}, { scope: 'process' })).toThrow(/scope/);
  expect(() => moduleInit('own', 5 as never)).toThrow(/fn/);
});

test('a module declares while it is evaluated, not later, and is told so', async () => {
  const body = `${BOUND}
    moduleInit('t', () => { moduleInit('t', () => {}); });
    export const later = () => moduleInit('t', () => {});`;
  const { loader } = aHost([[{ name: 'm' }, body]]);
  const outcome = await loader.load('m');
  const { later } = (outcome as { exports: { later(): void } }).exports;
  expect(later).toThrow(expect.objectContaining({ code: 'COEXIST_EREFUSED' }) as Error);
  expect(await loader.callInit('t')).toMatchObject({ failures: [{ module: 'm' }] });
});

test("an initialiser of the program's, or of a bundled copy, is refused while a module is evaluated that it may belong to", async () => {
  const body = 'globalThis.journal.push("begun"); await new Promise((resolve) => { globalThis.release = resolve; });';
  const { loader } = aHost([[{ name: 'm' }, body]]);
  const load = loader.load('m');
  await written('begun');
  expect(() => moduleInit('t', () => {})).toThrow(expect.objectContaining({ code: 'COEXIST_EREFUSED' }) as Error);
  (globalThis as unknown as { release(): void }).release();
  expect(told(await load)).toBe('loaded');
  expect(() => moduleInit('unused', () => {})).not.toThrow();
});

test('a module has 16 initialisers of the process at most', async () => {
  const { loader } = aHost([
    [{ name: 'few' }, `${BOUND}for (let k = 0; k < 16; k++) moduleInit('t', () => {}, { scope: 'process' });`],
    [{ name: 'many' }, `${BOUND}for (let k = 0; k < 17; k++) moduleInit('t', () => {}, { scope: 'process' });`],
  ]);
  expect(told(await loader.load('few'))).toBe('loaded');
  expect(told(await loader.load('many'))).toBe('failed COEXIST_EFAILED many');
  expect(await loader.callInit('t')).toEqual({ type: 't', ran: 16, failures: [] });
});

test('a thread inside an initialiser of the process keeps the module for the process, and does not have it loaded', async () => {
  const body = `${BOUND}
    moduleInit('t', () => new Promise((resolve) => { globalThis.release = resolve; }), { scope: 'process' });`;
  const { loader, area } = aHost([[{ name: 'm' }, body]]);
  const threads = (): unknown => inspectModules({ area }).flatMap((each) => each.threads.map(({ loaded }) => loaded));
  expect(told(await loader.load('m'))).toBe('loaded');
  expect(threads()).toEqual([true]);
  expect(await loader.callInit('t', { timeout: 500 })).toMatchObject({ failures: [{ module: 'm' }] });
  expect([loader.list()[0]?.state, threads()]).toEqual(['unloaded', [false]]);
  (globalThis as unknown as { release(): void }).release();
  await expect.poll(threads).toEqual([]);
});

test('an initialiser of the process that was given up is waited for by the next load', async () => {
  const body = `${BOUND}
    moduleInit('t', () => new Promise((resolve) => { globalThis.journal.push('begun'); globalThis.release = resolve; }), { scope: 'process' });`;
  const { loader } = aHost([[{ name: 'm' }, body]]);
  await loader.callInit('t');
  expect(told(await loader.load('m', { timeout: 500 }))).toBe('failed COEXIST_ETIMEDOUT m');
  const again = loader.load('m');
  await new Promise((resolve) => setTimeout(resolve, 30));
  (globalThis as unknown as { release(): void }).release();
  expect(told(await again)).toBe('loaded');
  // It came to its end, late; the process has it done.
  expect(journal()).toEqual(['begun']);
});

test('an initialiser may load modules', async () => {
  const body = `${BOUND}moduleInit('t', async () => { globalThis.journal.push((await globalThis.loader.load('helper')).outcome); });`;
  const { loader } = aHost([
    [{ name: 'm' }, body],
    [{ name: 'helper' }, noting('helper', ['t'])],
  ]);
  (globalThis as unknown as { loader: typeof loader }).loader = loader;
  await loader.callInit('t');
  expect(told(await loader.load('m'))).toBe('loaded');
  expect(journal()).toEqual(['helper', 'helper.t', 'loaded']);
});

test('an initialiser that waits for its own module ends with the time', async () => {
  const body = `${BOUND}moduleInit('t', async () => { globalThis.journal.push((await globalThis.loader.load('m')).outcome); });`;
  const { loader } = aHost([[{ name: 'm' }, body]], { timeout: 500 });
  (globalThis as unknown as { loader: typeof loader }).loader = loader;
  await loader.callInit('t');
  expect(told(await loader.load('m'))).toBe('failed COEXIST_ETIMEDOUT m');
  await written('failed');
  expect(loader.list()[0]?.state).toBe('unloaded');
});

test('a dependency that another loader has loaded is initialised before its dependent is evaluated', async () => {
  const { loader: calling, options: again } = aHost([
    [{ name: 'a', depends: ['b'] }, noting('a', ['t'])],
    [{ name: 'b' }, noting('b', ['t'])],
  ]);
  await calling.callInit('t');
  using plain = createLoader(again);
  newJournal();
  expect(told(await plain.load('b'))).toBe('loaded');
  expect(told(await calling.load('a'))).toBe('loaded');
  expect(journal()).toEqual(['b', 'b.t', 'a', 'a.t']);
});

test('two loaders of one thread: each has called its own phases, and no entry runs twice', async () => {
  const { loader, options } = aHost([[{ name: 'm' }, noting('m', ['x', 'y'])]]);
  using other = createLoader(options);
  await loader.callInit('x');
  await other.callInit('y');
  const outcomes = await Promise.all([loader.load('m'), other.load('m')]);
  expect(outcomes.map(told)).toEqual(['loaded', 'loaded']);
  expect([...journal()].sort()).toEqual(['m', 'm.x', 'm.y']);
  expect(await other.callInit('x')).toMatchObject({ ran: 0 });
});
