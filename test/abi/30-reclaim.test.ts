// Clause 30: reclaim: one CAS of exactly the owner word that was judged, then the hint; no reset, any number at once, never a
// live owner. It happens when asked, when the table is full (clause 26), and on exit hints.

import { register } from 'coexist';
import { describe, expect, test, vi } from 'vitest';
import { until } from '../support/actor.js';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { inProcess } from '../support/own-process.js';
import { EARLIER_NAMESAKE, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';
import { lines, writesOf } from '../support/writes.js';

describe.each(BACKENDS)('%s', (backend) => {
  test('frees the owner words of the dead and lowers the hint; not a byte else', () => {
    const area = smallArea(backend, { slots: 8 });
    const bytes = bytesOf(area);
    register({ area, name: 'alive' });
    const owners = [NO_SUCH_THREAD, -NO_SUCH_THREAD, UNKNOWABLE, EARLIER_NAMESAKE, 0n];
    owners.forEach((owner, k) => void bytes.plant(k + 1, { owner, refcount: k, generation: 3 }));
    bytes.plant(6, { owner: NO_SUCH_THREAD, cpu_id: -2 });
    bytes.setHeader('slot_hint', 7);
    const before = bytes.snapshot();
    expect(area.reclaim()).toBe(4);
    expect(bytes.changed(before)).toEqual([
      'header.slot_hint',
      'slot[1].owner',
      'slot[2].owner',
      'slot[4].owner',
      'slot[6].owner',
    ]);
    expect([1, 2, 3, 4, 5, 6].map((i) => bytes.owner(i))).toEqual([0n, 0n, UNKNOWABLE, 0n, 0n, 0n]);
    expect(bytes.header('slot_hint')).toBe(1);
    const after = bytes.snapshot();
    expect(area.reclaim()).toBe(0);
    expect(bytes.changed(after)).toEqual([]);
  });

  test('looks only below high water', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.plant(0, { owner: NO_SUCH_THREAD });
    bytes.setOwner(2, NO_SUCH_THREAD);
    expect(area.reclaim()).toBe(1);
    expect(bytes.owner(2)).toBe(NO_SUCH_THREAD);
  });

  test('a slot that changed hands after its owner was judged is left alone', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    bytes.plant(1, { owner: NO_SUCH_THREAD });
    bytes.plant(2, { owner: NO_SUCH_THREAD });
    const load = Atomics.load as (array: unknown, index: number) => number | bigint;
    let judged = false;
    const spy = vi.spyOn(Atomics, 'load').mockImplementation(((array: BigInt64Array, index: number) => {
      const value = load.call(Atomics, array, index);
      if (!judged && array.buffer === area.buffer && value === NO_SUCH_THREAD) {
        judged = true;
        bytes.setOwner(1, UNKNOWABLE);
      }
      return value;
    }) as never);
    const freed = area.reclaim();
    spy.mockRestore();
    expect([judged, freed]).toEqual([true, 1]);
    expect([bytes.owner(1), bytes.owner(2)]).toEqual([UNKNOWABLE, 0n]);
  });

  test('any number of reclaimers free each slot once', async () => {
    const area = smallArea(backend, { slots: 256 });
    const bytes = bytesOf(area);
    for (let i = 0; i < 256; i++)
      bytes.plant(i, { owner: i % 3 === 0 ? UNKNOWABLE : i % 2 === 0 ? NO_SUCH_THREAD : -NO_SUCH_THREAD });
    const dead = 256 - 86;
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const actors = await Promise.all([startActor('wasm'), startActor('twin')]);
    const sweeps = actors.map((actor) =>
      actor.run(
        async ({ load }, { url, memory, gate }) => {
          const area = (await load(url)).openArea(memory);
          Atomics.add(gate, 1, 1);
          Atomics.wait(gate, 0, 0, 10_000);
          return area.reclaim();
        },
        { url: copyUrl('b', 'core.js'), memory: memoryOf(area), gate },
      ),
    );
    await until('all actors wait at the gate', () => Atomics.load(gate, 1) === 2);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    const freed = [...(await Promise.all(sweeps)), area.reclaim()];
    expect(freed.reduce((sum, count) => sum + count)).toBe(dead);
    const left = Array.from({ length: 256 }, (_, i) => bytes.owner(i)).filter((owner) => owner !== 0n);
    expect(left).toEqual(Array(86).fill(UNKNOWABLE));
    for (const actor of actors) await actor.terminate();
  });

  test('a live owner keeps its slot in any state', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    for (const [cpu_id, refcount] of [
      [-1, 0],
      [-1, 1],
      [-2, 0],
      [0, 0],
      [0, 7],
    ] as const) {
      bytes.setSlot(0, 'cpu_id', cpu_id);
      bytes.setSlot(0, 'refcount', refcount);
      expect(area.reclaim()).toBe(0);
      expect(bytes.owner(0)).toBe(ownIdentity());
    }
  });

  test('a worker’s end is a hint that leads to a sweep', async () => {
    const { result } = await inProcess(
      async ({ load, urls, actor, until }) => {
        const lib = await load(urls.a);
        const area = lib.attach();
        lib.register();
        const worker = await actor();
        const slot = await worker.run(async ({ load }, url) => (await load(url)).register().slot, urls.b);
        const owner = () => new BigInt64Array(area.buffer)[(4096 + slot * 128 + 32) / 8];
        const held = owner() !== 0n;
        await worker.terminate();
        await until(() => owner() === 0n);
        return { held, slots: area.inspect().slots.map(({ slot }) => slot) };
      },
      { env: { COEXIST_NO_WASM: backend === 'twin' ? '1' : '0' } },
    );
    expect(result).toEqual({ held: true, slots: [0] });
  });
});

test('for each slot, the owner first and then the hint: complete after each step', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  register({ area }).unregister();
  bytes.plant(2, { owner: -NO_SUCH_THREAD });
  bytes.plant(3, { owner: NO_SUCH_THREAD });
  bytes.setHeader('slot_hint', 4);
  expect(lines(writesOf(area, () => area.reclaim()))).toEqual([
    'slot[2].owner = 0',
    'header.slot_hint = 2',
    'slot[3].owner = 0',
  ]);
});
