// probe(): says whether and how this thread could attach; never throws, and leaves no trace whatever it finds.

import { expect, test } from 'vitest';
import { Actor } from './support/actor.js';
import { type ChildContext, inChild } from './support/child.js';
import { copyUrl } from './support/copies.js';

/** Probes many times, and says what of the thread's state that changed. */
async function probing({ load }: Pick<ChildContext, 'load'>, { url, spoil }: { url: string; spoil: string }) {
  const workerThreads = process.getBuiltinModule('node:worker_threads');
  const { probe } = await load(url);
  const state = () =>
    JSON.stringify([
      Object.getOwnPropertySymbols(workerThreads).map(String),
      String(workerThreads.getEnvironmentData('coexist.area.v1')),
      process.listenerCount('exit'),
      process.listenerCount('worker'),
      // What would keep the thread alive, or take part in broadcasts.
      process.getActiveResourcesInfo().filter((name) => name !== 'CloseReq'),
    ]);
  if (spoil === 'frozen') Object.freeze(workerThreads);
  if (spoil === 'no environment')
    Object.defineProperty(process, 'env', {
      get: () => {
        throw new Error('no env');
      },
    });
  if (spoil === 'environment data') workerThreads.setEnvironmentData('coexist.area.v1', 'not an area');
  if (spoil === 'anchor') {
    Reflect.defineProperty(workerThreads, Symbol.for('coexist.area.v1'), { value: { not: 'an area' } });
  }
  const before = state();
  const answers = [1, 2, 3].map(() => probe());
  const same = answers.every((answer) => JSON.stringify(answer) === JSON.stringify(answers[0]));
  return { answer: answers[0], same, trace: state() === before ? '' : `${before} became ${state()}` };
}

const url = copyUrl('a');

test.each([
  ['', { attached: false, via: 'create', synchronous: true, provesDeath: true }],
  ['frozen', { attached: false, via: 'create' }],
  ['no environment', { attached: false, via: 'create' }],
  ['environment data', { attached: false, via: 'environment' }],
  ['anchor', { attached: false, via: 'anchor' }],
])('in a main thread that is spoilt by: %j', async (spoil, expected) => {
  const { result, stderr, code } = await inChild(probing, { url, spoil });
  expect(result, stderr).toMatchObject({ answer: expected, same: true, trace: '' });
  expect(code).toBe(0);
});

test.each([
  ['', {}, { via: 'bridge', synchronous: true, reasons: [] }],
  ['', { COEXIST_NO_INSPECTOR: '1' }, { via: 'announcement', synchronous: false }],
  ['', { COEXIST_NO_WASM: '1' }, { via: 'bridge', wasm: false, reasons: [expect.stringContaining('wasm')] }],
  ['frozen', {}, { via: 'bridge' }],
  ['no environment', {}, { via: 'announcement', synchronous: false }],
  ['environment data', {}, { via: 'environment' }],
])('in a worker that nobody prepared, spoilt by %j, with %j', async (spoil, env, expected) => {
  const actor = await Actor.start({ env: { ...process.env, COEXIST_NO_WASM: '', ...env } });
  const result = await actor.run(probing, { url, spoil });
  expect(result).toMatchObject({ answer: { attached: false, ...expected }, same: true, trace: '' });
  await actor.terminate();
});

test('nothing was created in the main thread by any of it', async () => {
  const { probe } = await import('coexist');
  expect(probe()).toMatchObject({ attached: false, via: 'create' });
});

test('before and after attaching, in both copies', async () => {
  const actor = await Actor.start();
  const answers = await actor.run(
    async ({ load }, urls) => {
      const [a, b] = [await load(urls[0] as string), await load(urls[1] as string)];
      const before = a.probe();
      a.attach();
      return [before, a.probe(), b.probe()].map(({ attached, via }) => [attached, via]);
    },
    [copyUrl('a'), copyUrl('b')],
  );
  expect(answers).toEqual([
    [false, 'bridge'],
    [true, 'anchor'],
    [false, 'anchor'],
  ]);
  await actor.terminate();
});

test('is plain data', async () => {
  const { result } = await inChild(async ({ load }, url) => {
    const { probe } = await load(url);
    const answer = probe();
    return JSON.stringify(structuredClone(answer)) === JSON.stringify(answer);
  }, url);
  expect(result).toBe(true);
});
