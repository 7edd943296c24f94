// Clause 39: data stays when a slot changes hands, so a counter's sum over all slots below high water is exact across deaths.

import { register } from 'coexist';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import type { Actor } from '../support/actor.js';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, openIn, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { kill } from '../support/threads.js';
import { writesOf } from '../support/writes.js';

describe.each(BACKENDS)('%s', (backend) => {
  const addIn = (actor: Actor, area: Parameters<typeof memoryOf>[0], n: number, times: number): Promise<number> =>
    actor.run(
      async ({ load, state }, { url, memory, n, times }) => {
        const { openArea, Counter } = await load(url);
        const counter = new Counter('counted', { area: openArea(memory) });
        state['counter'] = counter;
        for (let k = 0; k < times; k++) counter.add(n);
        return Number(counter.own());
      },
      { url: copyUrl('b', 'core.js'), memory: memoryOf(area), n, times },
    );

  test('the sum over deaths, reclaims and new owners is exact, and the cell goes on', async () => {
    const area = smallArea(backend, { slots: 2 });
    const counter = new Counter('counted', { area });
    counter.add(1);
    let own = 0;
    for (let round = 1; round <= 3; round++) {
      const actor = await startActor(backend);
      own = await addIn(actor, area, round, 1000);
      await kill(actor);
      expect(counter.sum()).toBe(BigInt(1 + own));
      if (round === 2) expect(area.reclaim()).toBe(1);
    }
    expect(own).toBe(6000);
    expect(counter.sum()).toBe(6001n);
  });

  test('threads that count at once lose nothing', async () => {
    const area = smallArea(backend);
    const actors = await Promise.all([startActor('wasm'), startActor('twin'), startActor(backend)]);
    await Promise.all(actors.map((actor, k) => addIn(actor, area, k + 1, 20_000)));
    expect(new Counter('counted', { area }).sum()).toBe(120_000n);
    for (const actor of actors) await actor.terminate();
  });

  test('sums exactly the blocks below high water, as 64-bit integers', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const counter = new Counter('counted', { area });
    const cell = (i: number): number => bytes.blockAt(i) / 8;
    bytes.i64[cell(1)] = 2n ** 62n;
    bytes.i64[cell(2)] = 2n ** 62n;
    bytes.i64[cell(3)] = -7n;
    expect(counter.sum()).toBe(0n);
    const sums: bigint[] = [];
    for (const water of [2, 3, 4]) {
      bytes.setHeader('slot_high_water', water);
      sums.push(counter.sum());
    }
    expect(sums).toEqual([2n ** 62n, -(2n ** 63n), 2n ** 63n - 7n]);
    const { lib, area: same } = await openIn('a', backend === 'wasm' ? 'twin' : 'wasm', area);
    expect(new lib.Counter('counted', { area: same }).sum()).toBe(2n ** 63n - 7n);
  });

  test('adds safe integers of either sign, wraps, and refuses the rest without adding', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const counter = new Counter('counted', { area });
    for (const n of [1, -1, 5, -10, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 0]) counter.add(n);
    expect([counter.own(), counter.sum()]).toEqual([-5n, -5n]);
    for (const n of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', 1n, null]) {
      expect(failure('COEXIST_EINVAL', () => counter.add(n as number)).found).toBe(n);
    }
    expect(counter.own()).toBe(-5n);
    bytes.i64[bytes.blockAt(0) / 8] = 2n ** 63n - 1n;
    counter.add();
    expect(counter.own()).toBe(-(2n ** 63n));
  });

  test('a block without a stamp goes on as well', () => {
    const area = smallArea(backend);
    const block = new PerThread('kept', { type: 'u16', length: 3, area });
    block.own.set([1, 2, 3]);
    block.dispose();
    const again = new PerThread('kept', { type: 'u16', length: 3, area });
    expect([...again.own]).toEqual([1, 2, 3]);
    expect(again.at(again.slot)?.generation).toBe(2);
  });
});

test('the owner counts with plain stores where the engine stores 8 bytes at once', () => {
  const area = smallArea('twin');
  register({ area });
  const counter = new Counter('counted', { area });
  const writes = writesOf(area, () => {
    counter.add(1);
    counter.add(2 ** 40);
  });
  expect(['x64', 'arm64'].includes(process.arch) ? writes.length : 0).toBe(0);
  expect(counter.sum()).toBe(2n ** 40n + 1n);
});
