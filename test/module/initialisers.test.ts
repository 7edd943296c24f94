// Initialisers that turn against the loader: each runs once all the same, every wait ends, and what is given up leaves nothing behind.

import { inspectModules, type Loader, moduleInit } from 'coexist/module';
import { beforeEach, expect, test, vi } from 'vitest';
import { aHost, journal, newJournal, noting, told, written } from '../support/loaders.js';

interface Shared {
  loader?: Loader;
  step?: () => Promise<string>;
}
const shared = globalThis as Shared;

beforeEach(() => {
  newJournal();
});

/** A module with one initialiser, which notes that it runs, then this step of the test, and its end. */
const stepping = (name: string, type = 't', scope = 'thread'): string => `
  import { moduleInit } from 'coexist/module';
  moduleInit('${type}', async () => {
    globalThis.journal.push('${name}.${type}');
    globalThis.journal.push(await globalThis.step());
  }, { scope: '${scope}' });`;

test('an initialiser of the program that calls its own phase runs once', async () => {
  const { loader } = aHost([]);
  moduleInit('own phase', async () => {
    journal().push('begun');
    const { failures } = await loader.callInit('own phase', { timeout: 50 });
    journal().push(failures[0]?.error.code ?? 'no failure');
  });
  expect(await loader.callInit('own phase')).toEqual({ type: 'own phase', ran: 1, failures: [] });
  expect(journal()).toEqual(['begun', 'COEXIST_ETIMEDOUT']);
});

test.each(['thread', 'process'])(
  'an initialiser, once in a %s, that loads its own module runs once, before and after the load',
  async (scope) => {
    for (const late of [true, false]) {
      newJournal();
      const { loader, state } = aHost([[{ name: 'm' }, stepping('m', 't', scope)]]);
      shared.step = async () => told(await loader.load('m', { timeout: 50 }));
      if (late) expect(told(await loader.load('m'))).toBe('loaded');
      expect(await loader.callInit('t')).toEqual({ type: 't', ran: late ? 1 : 0, failures: [] });
      expect(told(await loader.load('m'))).toBe(late ? 'already' : 'loaded');
      expect(journal()).toEqual(['m.t', 'failed COEXIST_ETIMEDOUT m']);
      expect(state()).toMatchObject({ list: [{ state: 'loaded' }], process: [{ threads: [{ loaded: true }] }] });
    }
  },
);

test('an initialiser that calls its own phase runs once', async () => {
  const { loader } = aHost([[{ name: 'm' }, stepping('m')]]);
  await loader.load('m');
  shared.step = async () => (await loader.callInit('t', { timeout: 50 })).failures[0]?.error.code ?? 'no failure';
  expect((await loader.callInit('t')).ran).toBe(1);
  expect(journal()).toEqual(['m.t', 'COEXIST_ETIMEDOUT']);
  expect(loader.list()[0]?.state).toBe('loaded');
});

test('an initialiser may load another module, and call another phase', async () => {
  const { loader } = aHost([
    [{ name: 'm' }, stepping('m')],
    [{ name: 'n' }, noting('n', ['t', 'u'])],
  ]);
  await loader.callInit('t');
  shared.step = async () => `${told(await loader.load('n'))} ${(await loader.callInit('u')).ran}`;
  expect(told(await loader.load('m'))).toBe('loaded');
  expect(journal()).toEqual(['m.t', 'n', 'n.t', 'n.u', 'loaded 1']);
});

test('an initialiser that waits for what depends on it ends by time, and leaves neither', async () => {
  const { loader, state } = aHost(
    [
      [{ name: 'm' }, stepping('m')],
      [{ name: 'user', depends: ['m'] }, noting('user', ['t'])],
    ],
    { timeout: 700 },
  );
  await loader.callInit('t');
  const before = state();
  shared.step = async () => told(await loader.load('user', { timeout: 1500 }));
  const outcome = await loader.load('m');
  expect(told(outcome)).toBe('failed COEXIST_ETIMEDOUT m');
  expect(outcome.message).toMatch(/"m" was still running its initialiser 1, of type "t" after 700 ms/);
  await written('failed COEXIST_ETIMEDOUT m');
  expect(journal()).toEqual(['m.t', 'failed COEXIST_ETIMEDOUT m']);
  expect(state()).toEqual(before);
});

test('a phase that is given up before it begins has run nothing, and discards nothing', async () => {
  const { loader, state } = aHost([[{ name: 'm' }, noting('m', ['t'])]]);
  await loader.load('m');
  moduleInit('given up', () => journal().push('program'));
  const before = state();
  for (const options of [{ signal: AbortSignal.abort(new Error('enough')) }, { timeout: 0 }]) {
    const code = 'signal' in options ? 'COEXIST_EABORTED' : 'COEXIST_ETIMEDOUT';
    expect(await loader.callInit('t', options)).toMatchObject({ ran: 0, failures: [{ module: 'm', error: { code } }] });
    expect(await loader.callInit('given up', options)).toMatchObject({
      ran: 0,
      failures: [{ module: undefined, error: { code } }],
    });
  }
  expect(journal()).toEqual(['m']);
  expect(state()).toEqual(before);
  expect((await loader.callInit('t')).ran).toBe(1);
  expect((await loader.callInit('given up')).ran).toBe(1);
  expect(journal()).toEqual(['m', 'm.t', 'program']);
});

test('a call that joins an initialiser, and gives up, leaves it to the one that began it', async () => {
  const { loader } = aHost([[{ name: 'm' }, stepping('m')]]);
  await loader.load('m');
  let release = (_: string): void => undefined;
  shared.step = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  const first = loader.callInit('t');
  await written('m.t');
  const second = await loader.callInit('t', { timeout: 10 });
  expect(second).toMatchObject({ ran: 0, failures: [{ module: 'm', error: { code: 'COEXIST_ETIMEDOUT' } }] });
  release('end');
  expect(await first).toEqual({ type: 't', ran: 1, failures: [] });
  expect(loader.list()[0]?.state).toBe('loaded');
});

test('one that takes too long is discarded, and those behind it are said to wait', async () => {
  const { loader } = aHost([
    [{ name: 'm' }, stepping('m')],
    [{ name: 'n' }, noting('n', ['t'])],
  ]);
  await loader.loadAll();
  shared.step = () => new Promise(() => undefined);
  const { ran, failures } = await loader.callInit('t', { timeout: 400 });
  expect([ran, failures.map(({ module }) => module)]).toEqual([0, ['m', 'n']]);
  expect(loader.list().map(({ state }) => state)).toEqual(['unloaded', 'loaded']);
  expect((await loader.callInit('t')).ran).toBe(1);
  expect(journal()).toEqual(['n', 'm.t', 'n.t']);
});

test('of two modules whose initialisers load one another, the one that waits less gives way', async () => {
  const { loader, options } = aHost([
    [{ name: 'm' }, stepping('m', 't', 'process')],
    [{ name: 'n' }, stepping('n', 't', 'process')],
  ]);
  await loader.callInit('t');
  const steps = [() => loader.load('n', { timeout: 800 }), () => loader.load('m')];
  shared.step = async () => told(await (steps.shift() ?? (() => loader.load('m')))());
  expect(told(await loader.load('m'))).toBe('loaded');
  await vi.waitFor(() => expect(journal()).toEqual(['m.t', 'n.t', 'failed COEXIST_ETIMEDOUT n', 'loaded']), 10_000);
  // The row of n is left as its initialiser, which was given up, has ended.
  const { area } = options;
  await vi.waitFor(() => expect(inspectModules({ area })).toMatchObject([{ name: 'm' }]), 10_000);
  expect(loader.list().map(({ state }) => state)).toEqual(['loaded', 'unloaded']);
  shared.step = async () => 'alone';
  expect(told(await loader.load('n'))).toBe('loaded');
});
