// A8, once one thread has succeeded, failure in another is loud: never a process in which some threads share and others, in
// silence, do not. Restated: a thread that cannot join throws and stays without area and without slot; it never makes an area
// of its own. Each failure is made in a worker while the main thread is registered.

import { attach, register } from 'coexist';
import { beforeAll, expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';
import { takenSlots } from '../support/slot.js';
import { registerIn, terminateAll } from '../support/steps.js';

beforeAll(() => {
  register();
});

test('built-in modules are frozen: EANCHOR, again and again, for every copy', async () => {
  const actor = await Actor.start();
  const codes = await actor.run(
    async ({ load }, urls) => {
      Object.freeze(process.getBuiltinModule('node:worker_threads'));
      const codes: (string | undefined)[] = [];
      for (const url of urls) {
        const { attach, register, probe } = await load(url);
        for (const attempt of [attach, register, register]) {
          try {
            attempt();
            codes.push('joined');
          } catch (error) {
            codes.push((error as { code?: string }).code);
          }
        }
        codes.push(String(probe().attached));
      }
      return codes;
    },
    [copyUrl('a'), copyUrl('b')],
  );
  const each = ['COEXIST_EANCHOR', 'COEXIST_EANCHOR', 'COEXIST_EANCHOR', 'false'];
  expect(codes).toEqual([...each, ...each]);
  expect(takenSlots(attach())).toHaveLength(1);
  await actor.terminate();
});

test('environment data holds something that is no area: EABI, not another area', async () => {
  const workerThreads = process.getBuiltinModule('node:worker_threads');
  const value = workerThreads.getEnvironmentData('coexist.area.v1');
  workerThreads.setEnvironmentData('coexist.area.v1', new SharedArrayBuffer(8192));
  const actor = await Actor.start();
  workerThreads.setEnvironmentData('coexist.area.v1', value);
  await expect(registerIn(actor, 'a')).rejects.toMatchObject({ code: 'COEXIST_EABI' });
  await expect(registerIn(actor, 'b')).rejects.toMatchObject({ code: 'COEXIST_EABI' });
  await actor.terminate();
});

test('the table is full: EFULL, and the threads that are in stay in', async () => {
  const { result } = await inChild(
    async ({ load, module }, url) => {
      const { attach, register } = await load(url);
      register();
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      // Stays until it is told to end.
      const step = async ({ load }: { load: (url: string) => Promise<typeof import('coexist')> }, url: string) => {
        const { parentPort } = process.getBuiltinModule('node:worker_threads');
        const { register } = await load(url);
        parentPort?.once('message', () => {});
        try {
          parentPort?.postMessage(register().slot);
        } catch (error) {
          parentPort?.postMessage((error as { code?: string }).code);
        }
      };
      const source = new URL(`data:text/javascript,${encodeURIComponent(module(String(step), url))}`);
      const workers = [0, 1, 2].map(() => new Worker(source));
      const answers = await Promise.all(
        workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))),
      );
      const slots = attach().inspect().slots;
      for (const worker of workers) worker.postMessage('end');
      return { answers: answers.map(String).sort(), slots: slots.map(({ slot, refcount }) => [slot, refcount]) };
    },
    copyUrl('a'),
    { env: { COEXIST_SLOTS: '2' } },
  );
  expect(result.answers).toEqual(['1', 'COEXIST_EFULL', 'COEXIST_EFULL']);
  expect(result.slots).toEqual([
    [0, 1],
    [1, 1],
  ]);
});

test('a thread that the host refuses says so, and does not disturb its neighbours', async () => {
  const actors = [await Actor.start(), await Actor.start()] as const;
  await registerIn(actors[0], 'a');
  const codes = await actors[1].run(async ({ load, state }, url) => {
    const { attach, register } = await load(url);
    const area = attach();
    const first = register();
    state.registrations.push(first);
    Atomics.store(new Int32Array(area.buffer), (area.geometry.slotOffset + first.slot * 128 + 4) >>> 2, -2);
    try {
      register();
      return 'registered';
    } catch (error) {
      return (error as { code?: string }).code;
    }
  }, copyUrl('a'));
  expect(codes).toBe('COEXIST_EFAILED');
  expect((await registerIn(actors[0], 'b')).row.refcount).toBe(2);
  await terminateAll(actors);
});
