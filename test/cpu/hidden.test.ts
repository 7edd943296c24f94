// The mapped area is the thread's own memory: nothing a program can reach leads to it, nothing carries it to another thread, and a
// worker that never asks for a CPU number loads no native code at all.

import { inspect, types } from 'node:util';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import * as library from 'coexist';
import * as percpu from 'coexist/percpu';
import { expect, test } from 'vitest';
import { mapsRseq } from '../support/cpus.js';
import { program } from '../support/program.js';

/** Every object that can be reached from these by properties, symbols, accessors and prototypes. */
function reachable(...roots: unknown[]): Set<object> {
  const seen = new Set<object>();
  const visit = (value: unknown): void => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) return;
    seen.add(value);
    if (ArrayBuffer.isView(value)) {
      visit(value.buffer);
      return;
    }
    for (const key of Reflect.ownKeys(value)) {
      try {
        visit((value as Record<PropertyKey, unknown>)[key]);
      } catch {
        // An accessor that refuses another receiver.
      }
    }
    visit(Object.getPrototypeOf(value));
  };
  for (const root of roots) visit(root);
  return seen;
}

test('no buffer but the area’s own is reachable from what the library hands out', () => {
  const registration = library.register();
  expect(registration.cpuId()).toBeGreaterThanOrEqual(0);
  expect(library.doctor().cpu.via).toBe(mapsRseq ? 'rseq' : 'sched_getcpu');
  const area = library.attach();
  const counter = new percpu.Counter('hidden');
  const buffers = [...reachable(registration, area, counter, library.doctor(), { ...library }, { ...percpu })].filter(
    (value) => types.isAnyArrayBuffer(value),
  );
  expect(buffers).toEqual([area.buffer]);
  counter.dispose();
});

test('cloning, posting and inspecting a registration gives no memory', () => {
  const registration = library.register();
  const plain = { slot: registration.slot, generation: registration.generation, name: '', permanent: false };
  expect(structuredClone(registration)).toEqual(plain);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(registration);
  expect(receiveMessageOnPort(port2)?.message).toEqual(plain);
  port1.close();
  expect(JSON.parse(JSON.stringify(registration))).toEqual(plain);
  expect(inspect(registration, { showHidden: true, depth: null, showProxy: true })).not.toMatch(/Array|Buffer/);
});

test('a worker loads koffi when it is asked for a number, not when it registers', async () => {
  const { result } = await program(async ({ load, urls, spawn }) => {
    (await load(urls.a)).attach();
    const loaded = (): boolean =>
      process.getBuiltinModule('node:fs').readFileSync('/proc/self/maps', 'utf8').includes('koffi.node');
    const main = loaded();
    const worker = spawn(async ({ load, urls }, source) => {
      const loaded = process.getBuiltinModule('node:vm').runInThisContext(`(${source})`) as () => boolean;
      const registration = (await load(urls.a)).register();
      const registered = loaded();
      registration.cpuId();
      return [registered, loaded()];
    }, String(loaded));
    return [main, ...(await worker.result)];
  });
  expect(result).toEqual([false, false, true]);
});

test('a process whose workers register and are terminated at any moment goes on', async () => {
  const seed = Date.now() % 2 ** 31;
  console.log(`seed ${seed}`);
  const { result } = await program(
    async ({ load, urls, spawn, word, until, sleep }, seed) => {
      const { attach } = await load(urls.a);
      attach();
      let state = seed || 1;
      let ended = 0;
      for (let k = 0; k < 24; k++) {
        const begun = word();
        const thread = spawn(async ({ load, urls }, begun) => {
          const { register } = await load(urls.a);
          Atomics.store(begun, 0, 1);
          for (;;) register().unregister();
        }, begun);
        if (k % 2 === 0) await until(begun);
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        await sleep(state % 8);
        await thread.worker.terminate();
        ended++;
      }
      return ended;
    },
    { args: seed },
  );
  expect(result).toBe(24);
});
