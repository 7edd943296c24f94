// Clause 31: what an observer may take from a slot: rows read under one owner and generation, of registered slots only. What
// happens between two of its loads is done from inside the load.

import '../support/slot-index.js';
import { register } from 'coexist';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type AreaBytes, bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openIn, registerIn, smallArea, startActor } from '../support/backends.js';
import { NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

afterEach(() => void vi.restoreAllMocks());

/** Runs `then` right after the first load of the refcount of slot 0. */
function afterRefcount(bytes: AreaBytes, then: (times: number) => void): void {
  const load = Atomics.load as (array: unknown, index: number) => number;
  const refcount = (bytes.slotAt(0) + 20) / 4;
  let times = 0;
  let inside = false;
  vi.spyOn(Atomics, 'load').mockImplementation(((array: Uint32Array, index: number) => {
    const value = load.call(Atomics, array, index);
    if (!inside && array.buffer === bytes.u8.buffer && array.BYTES_PER_ELEMENT === 4 && index === refcount) {
      inside = true;
      then(++times);
      inside = false;
    }
    return value;
  }) as never);
}

describe.each(BACKENDS)('%s', (backend) => {
  test('rows of registered slots, as plain data', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const actor = await startActor(backend);
    await registerIn(actor, area, { name: 'one' });
    register({ area, permanent: true });
    bytes.plant(2, { owner: NO_SUCH_THREAD, refcount: 4, generation: 6 });
    const inspection = area.inspect();
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
    expect(inspection).toMatchObject({ areaId: area.id, capacity: 4, highWater: 3, conflicted: false, conflict: 0 });
    expect(inspection.slots).toMatchObject([
      {
        slot: 0,
        generation: 1,
        threadId: actor.worker.threadId,
        alive: true,
        cpuId: 0,
        cpuIdStart: 0,
        refcount: 1,
        holders: ['one'],
      },
      { slot: 1, generation: 1, threadId: 0, osTid: process.pid, alive: true, refcount: 0, holders: [] },
      { slot: 2, generation: 6, alive: false, refcount: 4 },
    ]);
    await actor.terminate();
  });

  test('owner <= 0 or cpu_id < 0 is unregistered', () => {
    const area = smallArea(backend, { slots: 8 });
    const bytes = bytesOf(area);
    const states: [bigint, number][] = [
      [0n, 0],
      [-ownIdentity(), 0],
      [-UNKNOWABLE, 3],
      [UNKNOWABLE, -1],
      [UNKNOWABLE, -2],
      [UNKNOWABLE, 0],
    ];
    states.forEach(([owner, cpu_id], i) => void bytes.plant(i, { owner, cpu_id }));
    register({ area }).unregister();
    expect(area.inspect().slots.map(({ slot }) => slot)).toEqual([5]);
  });

  test('observing changes nothing', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area, name: 'one' });
    bytes.plant(1, { owner: NO_SUCH_THREAD });
    bytes.setCreator(1, UNKNOWABLE);
    const before = bytes.snapshot();
    area.inspect();
    expect(bytes.changed(before)).toEqual([]);
  });

  test('every copy sees the same', async () => {
    const area = smallArea(backend);
    register({ area, name: 'one' });
    const { area: same } = await openIn('b', backend === 'wasm' ? 'twin' : 'wasm', area);
    expect(same.inspect()).toEqual(area.inspect());
  });

  test.each<[string, (bytes: AreaBytes) => void, object]>([
    ['generation', (b) => b.setSlot(0, 'generation', 2), { generation: 2, refcount: 8 }],
    ['owner', (b) => b.setOwner(0, NO_SUCH_THREAD), { generation: 1, refcount: 8, alive: false }],
  ])('a row whose %s changes while it is read is read again', (_, change, row) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    bytes.plant(0, { owner: UNKNOWABLE, refcount: 7 });
    afterRefcount(bytes, (times) => {
      if (times > 1) return;
      change(bytes);
      bytes.setSlot(0, 'refcount', 8);
    });
    expect(area.inspect().slots).toMatchObject([row]);
  });

  test('a row whose slot is freed while it is read is none', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    bytes.plant(0, { owner: UNKNOWABLE });
    afterRefcount(bytes, () => bytes.setOwner(0, 0n));
    expect(area.inspect().slots).toEqual([]);
  });

  test('a slot that never stands still ends the reading, without a row', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    bytes.plant(0, { owner: UNKNOWABLE });
    let reads = 0;
    afterRefcount(bytes, (times) => {
      reads = times;
      bytes.setSlot(0, 'generation', times + 10);
    });
    expect(area.inspect().slots).toEqual([]);
    expect(reads).toBeGreaterThan(1);
  });
});
