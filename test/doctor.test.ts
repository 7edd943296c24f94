// doctor(): what works in this thread and why not better, as plain data; it never throws, and attaches nothing.

import { doctor } from 'coexist';
import { describe, expect, test } from 'vitest';
import type { Diagnosis } from '../src/core.js';
import { Actor } from './support/actor.js';
import { type ChildContext, inChild } from './support/child.js';
import { copyUrl } from './support/copies.js';
import { allowedCpus, mapsRseq } from './support/cpus.js';

/** Asks three times, and says what of the thread's state that changed. */
async function asking({ load }: Pick<ChildContext, 'load'>, { url, spoil }: { url: string; spoil: string }) {
  const workerThreads = process.getBuiltinModule('node:worker_threads');
  const { doctor } = await load(url);
  const state = () =>
    JSON.stringify([
      Object.getOwnPropertySymbols(workerThreads).map(String),
      String(workerThreads.getEnvironmentData('coexist.area.v1')),
      process.listenerCount('exit'),
      process.listenerCount('worker'),
    ]);
  if (spoil === 'frozen') Object.freeze(workerThreads);
  if (spoil === 'no environment')
    Object.defineProperty(process, 'env', {
      get: () => {
        throw new Error('no env');
      },
    });
  if (spoil === 'anchor') {
    Reflect.defineProperty(workerThreads, Symbol.for('coexist.area.v1'), { value: { not: 'an area' } });
    Reflect.defineProperty(workerThreads, Symbol.for('coexist.thread.v1'), { value: { not: 'a thread' } });
  }
  const before = state();
  const [diagnosis] = [1, 2, 3].map(() => doctor());
  return { diagnosis: diagnosis as Diagnosis, trace: state() === before ? '' : `${before} became ${state()}` };
}

const url = copyUrl('a');

test('a main thread that nobody attached', async () => {
  const { result } = await inChild(asking, { url, spoil: '' }, { env: { COEXIST_NO_WASM: '', COEXIST_NO_FFI: '' } });
  expect(result.trace).toBe('');
  expect(result.diagnosis).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    runtime: {
      name: 'node',
      version: process.versions.node,
      platform: process.platform,
      arch: process.arch,
      mainThread: true,
      threadId: 0,
    },
    area: { attached: false, id: null, via: 'create', synchronous: true },
    geometry: null,
    cpu: {
      via: mapsRseq ? 'rseq' : 'sched_getcpu',
      ffi: 'koffi',
      now: expect.toSatisfy((cpu: number) => allowedCpus().includes(cpu)),
      possible: expect.toSatisfy((count: number) => count > Math.max(...allowedCpus())),
      reasons: mapsRseq ? [] : [expect.any(String)],
    },
    provesDeath: true,
    wasm: true,
    bridgeRefusal: null,
    conflict: 0,
    slots: [],
    reasons: [],
  });
});

test.each(['frozen', 'no environment', 'anchor'])('a thread that is spoilt by: %s', async (spoil) => {
  const { result, stderr, code } = await inChild(asking, { url, spoil });
  expect(code, stderr).toBe(0);
  expect(result).toMatchObject({ trace: '', diagnosis: { area: { attached: false, id: null }, slots: [] } });
  if (spoil === 'anchor') expect(result.diagnosis.reasons.length).toBeGreaterThan(0);
});

test('a worker that nobody prepared, with everything switched off', async () => {
  const off = { COEXIST_NO_INSPECTOR: '1', COEXIST_NO_WASM: '1', COEXIST_NO_FFI: '1' };
  const actor = await Actor.start({ env: { ...process.env, ...off } });
  const { diagnosis, trace } = await actor.run(asking, { url, spoil: '' });
  expect(trace).toBe('');
  expect(diagnosis).toMatchObject({
    runtime: { mainThread: false, threadId: actor.worker.threadId },
    area: { attached: false, via: 'announcement', synchronous: false },
    cpu: { via: 'slot', ffi: null, now: -1, reasons: [expect.stringContaining('COEXIST_NO_FFI=1')] },
    wasm: false,
    bridgeRefusal: expect.stringContaining('COEXIST_NO_INSPECTOR=1'),
    reasons: expect.arrayContaining([expect.stringContaining('wasm'), expect.stringContaining('COEXIST_NO_INSPECTOR')]),
  });
  await actor.terminate();
});

describe('in a thread that is attached', () => {
  test('the area, its geometry and every slot of the process, from any copy', async () => {
    const actor = await Actor.start();
    const seen = await actor.run(
      async ({ load, state }, [a, b]) => {
        const [one, other] = [await load(a as string), await load(b as string)];
        const area = one.attach();
        state.registrations.push(one.register({ name: 'one' }), other.register({ name: 'two' }));
        return { area: { id: area.id, geometry: area.geometry }, answers: [one.doctor(), other.doctor()] };
      },
      [copyUrl('a'), copyUrl('b')],
    );
    for (const answer of seen.answers) {
      expect(answer).toMatchObject({
        area: { attached: true, id: seen.area.id, via: 'anchor' },
        geometry: seen.area.geometry,
        slots: [{ slot: 0, refcount: 2, alive: true, threadId: actor.worker.threadId, holders: ['one', 'two'] }],
      });
    }
    await actor.terminate();
  });

  test('a copy that has not attached tells what another one in its thread has', async () => {
    const { result } = await inChild(
      async ({ load }, [a, b]) => {
        const id = (await load(a as string)).attach().id;
        const { area, slots, geometry } = (await load(b as string)).doctor();
        return { same: area.id === id, attached: area.attached, slots: slots.length, capacity: geometry?.slotCapacity };
      },
      [copyUrl('a'), copyUrl('b')],
    );
    expect(result).toEqual({ same: true, attached: false, slots: 0, capacity: 1024 });
  });

  test('a second area that was seen', async () => {
    const { result } = await inChild(async ({ load }, url) => {
      const { attach, doctor } = await load(url);
      const { buffer } = attach();
      Atomics.store(new Uint32Array(buffer), 5, 77);
      const { conflict, reasons } = doctor();
      return { conflict, reasons };
    }, url);
    expect(result).toEqual({
      conflict: 77,
      reasons: expect.arrayContaining([expect.stringContaining('two areas')]),
    });
  });
});

test('is plain data', () => {
  const diagnosis = doctor();
  expect(JSON.parse(JSON.stringify(diagnosis))).toEqual(diagnosis);
  expect(structuredClone(diagnosis)).toEqual(diagnosis);
});
