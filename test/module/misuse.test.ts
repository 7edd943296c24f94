// What a caller gets wrong is an error of its own, and changes nothing; what it gives up, at any step, leaves nothing.

import {
  createLoader,
  defineInterface,
  fingerprint,
  implement,
  inspectModules,
  moduleInit,
  stub,
} from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, told } from '../support/loaders.js';
import { everything } from '../support/module-state.js';
import type { ModuleSource } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

const imports = "import { defineInterface, implement, moduleInit, stub } from 'coexist/module';";

test('wrong arguments are errors of their own, and change nothing', async () => {
  const host = aHost([[{ name: 'm' }, noting('m')]]);
  const { loader, options } = host;
  const before = everything(host);
  const f = { f: stub.noop() };
  const wrong: (() => unknown)[] = [
    () => defineInterface('x', undefined as never),
    () => defineInterface('x', null as never),
    () => defineInterface('', { version: 1, functions: f }),
    () => defineInterface('x', { version: 0, functions: f }),
    () => defineInterface('x', { version: 1, functions: {} }),
    () => defineInterface('x', { version: 1, functions: { ['th' + 'en']: stub.noop() } }),
    () => defineInterface('x', { version: 1, functions: { f: (() => 1) as never } }),
    () => implement('x', undefined as never),
    () => implement('x', { version: 65536, functions: {} }),
    () => implement('x', { version: 1, functions: (() => 1) as never }),
    () => stub.value(() => 1),
    () => stub.throws(5 as never),
    () => moduleInit('', () => 1),
    () => moduleInit('t', 5 as never),
    () => moduleInit('t', () => 1, { scope: 'area' as never }),
    () => moduleInit('t', () => 1, { scope: 'process' }),
    () => fingerprint(undefined as never),
    () => fingerprint({ inputs: { options: { f: () => 1 } as never } }),
    () => createLoader(undefined as never),
    () => createLoader({ ...options, area: {} as never }),
    () => createLoader({ ...options, timeout: Number.NaN }),
    () => createLoader({ ...options, dirs: [new URL('http://localhost/')] }),
    () => createLoader({ ...options, manifest: null as never }),
    () => inspectModules({ area: 5 as never }),
    () => loader.load(Symbol('m') as never),
    () => loader.load('m', null as never),
    () => loader.load('m', { timeout: Number.POSITIVE_INFINITY }),
    () => loader.load('m', { timeout: '5' as never }),
    () => loader.load('m', { signal: 5 as never }),
    () => loader.load('m', { signal: null as never }),
    () => loader.load('m', { signal: { aborted: false } as never }),
    () => loader.loadFor(null as never),
    () => loader.loadFor({ object: 'a', option: 'b' } as never),
    () => loader.loadPresent(5 as never),
    () => loader.callInit(Symbol('t') as never),
  ];
  for (const each of wrong) {
    const error = await (async () => await each())().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error, String(each)).toMatchObject({ code: 'COEXIST_EINVAL', remedy: expect.stringMatching(/./) });
    expect(error, String(each)).toHaveProperty('expected');
  }
  expect(everything(host)).toEqual(before);
});

test('a load without time, or with a signal that was aborted, has run nothing, and leaves what is loaded', async () => {
  const modules: readonly ModuleSource[] = [
    [{ name: 'm' }, noting('m', ['t'])],
    [{ name: 'user', depends: ['m'] }, noting('user')],
  ];
  const host = aHost(modules);
  const signal = AbortSignal.abort(new Error('enough'));
  const before = everything(host);
  expect(told(await host.loader.load('user', { timeout: 0 }))).toMatch(/^failed COEXIST_ETIMEDOUT/);
  const outcome = await host.loader.load('user', { signal });
  expect(told(outcome)).toMatch(/^failed COEXIST_EABORTED/);
  expect(outcome.message).toContain('enough');
  expect([everything(host), journal()]).toEqual([before, []]);
  expect(told(await host.loader.load('user'))).toBe('loaded');
  const after = everything(host);
  expect(told(await host.loader.load('user', { timeout: 0 }))).toBe('already');
  expect(told(await host.loader.load('user', { signal }))).toBe('failed COEXIST_EABORTED user');
  expect([everything(host), journal()]).toEqual([after, ['m', 'user']]);
});

test('a load may be given up at every step; the next one is whole', async () => {
  const text = `${imports}
    globalThis.reached('evaluate'); await null; globalThis.reached('resume');
    moduleInit('t', () => globalThis.reached('init')); moduleInit('t', async () => { await null; globalThis.reached('once'); }, { scope: 'process' });`;
  const shared = globalThis as { reached?: (step: string) => void };
  for (const step of ['now', 'tick', 'evaluate', 'resume', 'init', 'once']) {
    const host = aHost([
      [{ name: 'm' }, text],
      [
        { name: 'c', depends: ['m'], type: 'commonjs' },
        "require('coexist/module'); globalThis.reached('commonjs');",
        'c.cjs',
      ],
    ]);
    await host.loader.callInit('t');
    const before = everything(host);
    const controller = new AbortController();
    shared.reached = (at) => {
      if (at === step) controller.abort(new Error(at));
    };
    const load = host.loader.load('c', { signal: controller.signal });
    if (step === 'now') controller.abort(new Error(step));
    if (step === 'tick') await Promise.resolve().then(() => controller.abort(new Error(step)));
    const outcome = await load;
    expect([step, told(outcome)]).toEqual([step, 'failed COEXIST_EABORTED m']);
    expect(everything(host)).toEqual(before);
    shared.reached = () => undefined;
    expect(told(await host.loader.load('c'))).toBe('loaded');
  }
});
