// A10, what a dead thread held: a directory entry whose creator died while creating it (docs/ABI.md, clause 35). The victim
// runs on the twin, with an Atomics in place of the global one that blocks for ever at the store which says "creating"; while
// it lives, others wait and time out with nothing changed; once it is dead, the next one takes the entry over.

import { attach } from 'coexist';
import { ENTRY } from 'coexist/abi';
import { Counter } from 'coexist/percpu';
import { expect, test } from 'vitest';
import { Actor, until } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { modeEnv } from '../support/steps.js';

test('an entry left half-made by a dead thread is finished by the next', async () => {
  const area = attach();
  const { directoryOffset } = area.geometry;
  const creator = (): bigint => Atomics.load(new BigInt64Array(area.buffer), directoryOffset >>> 3);
  const state = (): number => Atomics.load(new Int32Array(area.buffer), (directoryOffset + ENTRY.state.offset) >>> 2);

  const victim = await Actor.start({ env: modeEnv('twin') });
  victim.post(
    async ({ load }, { url, word }) => {
      const real = globalThis.Atomics;
      const blocking = Object.create(real, {
        store: {
          value: (array: Int32Array, index: number, value: number) => {
            const stored = real.store(array, index, value);
            if (array instanceof Int32Array && index === word) {
              real.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
            }
            return stored;
          },
        },
      });
      const { Counter } = await load(url);
      globalThis.Atomics = blocking;
      new Counter('a10/shared');
    },
    { url: copyUrl('a', 'core.js'), word: (directoryOffset + ENTRY.state.offset) >>> 2 },
  );
  await until('the victim is in the middle of it', () => state() === 1);
  const victimIdentity = creator();
  expect(victimIdentity).toBeGreaterThan(0n);

  const early = await Actor.start();
  const code = early.run(
    async ({ load }, url) => {
      const { Counter } = await load(url);
      new Counter('a10/shared');
    },
    copyUrl('b', 'core.js'),
  );
  await expect(code).rejects.toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
  expect([creator(), state()]).toEqual([victimIdentity, 1]);
  await early.terminate();

  await victim.terminate();
  const counter = new Counter('a10/shared');
  counter.add(2);
  expect(counter.sum()).toBe(2n);
  expect(state()).toBe(2);
  expect(creator()).not.toBe(victimIdentity);
  counter.dispose();
});
