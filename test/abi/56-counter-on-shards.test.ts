// Clause 56: the counter: a 64-bit cell in each shard by CPU, added to by one atomic addition; its sum over all shards is exact.

import { PerCpuCounter } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { contentAt, entryOf, objectOf, perCpuArea } from '../support/per-cpu.js';
import { kill } from '../support/threads.js';

describe.each(BACKENDS)('%s', (backend: Backend) => {
  test('an i64 in each shard, by CPU; the sum is the counter', () => {
    const area = perCpuArea(backend, { cpus: 3 });
    const counter = on(backend, () => new PerCpuCounter('a counter', { area }));
    expect(objectOf(area, 'a counter')).toMatchObject({ kind: 11, version: 65537, size: 64 + 3 * 64 });
    const i64 = bytesOf(area).i64;
    const cell = (shard: number): number => contentAt(area, 'a counter', 'cpu', shard) / 8;
    counter.add();
    counter.add(41);
    expect([0, 1, 2].map((shard) => i64[cell(shard)])).toEqual([42n, 0n, 0n]);
    i64[cell(2)] = 1n << 40n;
    expect(counter.sum()).toBe((1n << 40n) + 42n);
    for (const n of [-50, 2 ** 31, -(2 ** 31), 2 ** 32, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 0, -0]) {
      const before = counter.sum();
      counter.add(n);
      expect(counter.sum() - before, `${n}`).toBe(BigInt(n));
    }
    i64[cell(0)] = 2n ** 63n - 1n;
    counter.add(1);
    expect(i64[cell(0)]).toBe(-(2n ** 63n));
  });

  test('no other number is added, and none after disposal; the sum goes on', () => {
    const area = perCpuArea(backend);
    const counter = on(backend, () => new PerCpuCounter('a counter', { area }));
    counter.add(5);
    for (const n of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null]) {
      expect(failure('COEXIST_EINVAL', () => counter.add(n as number)).found).toBe(n);
    }
    counter.dispose();
    counter[Symbol.dispose]();
    for (const n of [1, 2 ** 40]) failure('COEXIST_EUNREGISTERED', () => counter.add(n));
    expect(counter.sum()).toBe(5n);
    expect(bytesOf(area).owner(0)).toBe(0n);
  });

  test('is by CPU, whatever its user asks for', () => {
    const area = perCpuArea(backend);
    const options = { index: 'slot', area } as unknown as ConstructorParameters<typeof PerCpuCounter>[1];
    on(backend, () => new PerCpuCounter('a counter', options)).add(1);
    expect(entryOf(area, 'a counter')?.kind).toBe(11);
  });

  test('exact over several threads at one cell, of both backends, and their deaths', async () => {
    const area = perCpuArea(backend, { cpus: 1 });
    const counter = on(backend, () => new PerCpuCounter('a counter', { area }));
    const actors = await Promise.all([startActor('wasm'), startActor('twin'), startActor(backend)]);
    await Promise.all(
      actors.map((actor, k) =>
        actor.run(
          async ({ load, state }, { url, memory, n }) => {
            const lib = await load(url);
            const counter = new lib.PerCpuCounter('a counter', { area: lib.openArea(memory) });
            state['kept'] = counter;
            for (let k = 0; k < 20_000; k++) counter.add(n);
          },
          { url: copyUrl(k === 0 ? 'b' : 'a', 'core.js'), memory: memoryOf(area), n: k + 1 },
        ),
      ),
    );
    for (const actor of actors) await kill(actor);
    expect(counter.sum()).toBe(120_000n);
  });
});
