// Clause 59: a gauge is one number of each thread that lives, under the stamp of its claim; nothing of a thread that is gone counts.

import { register } from 'coexist';
import { KINDS } from 'coexist/abi';
import { Gauge, PerThread } from 'coexist/percpu';
import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, openIn, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { EARLIER_NAMESAKE, kill, NO_SUCH_THREAD, UNKNOWABLE } from '../support/threads.js';
import { lines, writesOf } from '../support/writes.js';

type Area = ReturnType<typeof smallArea>;

const f64 = (area: Area): Float64Array => new Float64Array(area.buffer);

/** A number as another thread would have it: a claimed slot, a stamp, and eight bytes. */
function plant(area: Area, slot: number, owner: bigint, generation: number, stamp: number, value: number): void {
  const bytes = bytesOf(area);
  bytes.plant(slot, { owner, generation });
  bytes.u32[bytes.blockAt(slot) / 4] = stamp;
  f64(area)[bytes.blockAt(slot) / 8 + 1] = value;
}

const seen = (gauge: Gauge): [number, number, number][] =>
  gauge.values().map(({ slot, generation, value }) => [slot, generation, value]);

describe.each(BACKENDS)('%s', (backend) => {
  test('the entry: kind 14, version 1, 16 bytes, stamped; the number lies behind the stamp', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const gauge = new Gauge('g', { area });
    const fields = (['kind', 'version', 'size', 'flags'] as const).map((field) => bytes.entry(0, field));
    expect(fields).toEqual([KINDS.gauge.number, 1, 16, 1]);
    expect(KINDS.gauge.number).toBe(14);
    gauge.set(-0.1);
    expect(bytes.u32[bytes.blockAt(0) / 4]).toBe(1);
    expect(f64(area)[bytes.blockAt(0) / 8 + 1]).toBe(-0.1);
    failure('COEXIST_EKIND', () => new PerThread('g', { area, type: 'f64', length: 1, fresh: true }));
  });

  test('whatever lies there is cleared, then stamped with the slot’s generation', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.u8.fill(0xdd, bytes.blockAt(0), bytes.blockAt(0) + 64);
    bytes.setSlot(0, 'generation', 40);
    const gauge = new Gauge('g', { area });
    expect(seen(gauge)).toEqual([[0, 41, 0]]);
    const words = [...bytes.u32.slice(bytes.blockAt(0) / 4, bytes.blockAt(0) / 4 + 5)];
    expect(words).toEqual([41, 0xdddddddd, 0, 0, 0xdddddddd]);
  });

  test('under the same claim it stays, for handles and copies that come later; under a new one it starts at zero', async () => {
    const area = smallArea(backend);
    const first = new Gauge('g', { area });
    first.set(7);
    const second = new Gauge('g', { area });
    const { lib, area: same } = await openIn('b', backend, area);
    const third = new lib.Gauge('g', { area: same });
    third.add(0.5);
    expect([first.own(), second.own(), third.own(), first.sum()]).toEqual([7.5, 7.5, 7.5, 7.5]);
    for (const gauge of [first, second, third]) gauge.dispose();
    expect(seen(first)).toEqual([]);
    expect(seen(new Gauge('g', { area }))).toEqual([[0, 2, 0]]);
  });

  test.each([
    ['a live owner, its stamp', 1n, 3, 3, true],
    ['one whose death cannot be proven', UNKNOWABLE, 3, 3, true],
    ['the stamp of the claim before', 1n, 3, 2, false],
    ['the stamp of a later claim', 1n, 3, 4, false],
    ['no stamp', 1n, 3, 0, false],
    ['a slot that was never claimed', 1n, 0, 0, false],
    ['a free slot', 0n, 3, 3, false],
    ['a slot in preparation', -UNKNOWABLE, 3, 3, false],
    ['an owner that is proven dead: no such thread', NO_SUCH_THREAD, 3, 3, false],
    ['an owner that is proven dead: its thread id was used again', EARLIER_NAMESAKE, 3, 3, false],
  ])('%s', async (_, planted, generation, stamp, counts) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const gauge = new Gauge('g', { area });
    gauge.set(-1);
    // 1n stands for this thread, which no other slot can have: it lives.
    plant(area, 2, planted === 1n ? bytes.owner(0) : planted, generation, stamp, 5);
    const rows: [number, number, number][] = counts ? [[2, generation, 5]] : [];
    expect(seen(gauge)).toEqual([[0, 1, -1], ...rows]);
    expect([gauge.sum(), gauge.min(), gauge.max()]).toEqual(counts ? [4, -1, 5] : [-1, -1, -1]);
    const { lib, area: same } = await openIn('a', backend === 'wasm' ? 'twin' : 'wasm', area);
    const other = new lib.Gauge('g', { area: same });
    expect(other.values()).toEqual(gauge.values());
  });

  test('slots from high water on are not read', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const gauge = new Gauge('g', { area });
    plant(area, 3, UNKNOWABLE, 1, 1, 5);
    bytes.setHeader('slot_high_water', 3);
    expect(gauge.sum()).toBe(0);
    bytes.setHeader('slot_high_water', 4);
    expect(gauge.sum()).toBe(5);
    bytes.setHeader('slot_high_water', 4000);
    expect(gauge.sum()).toBe(5);
  });

  test('a thread’s number goes with the thread, before anybody has reclaimed its slot', async () => {
    const area = smallArea(backend);
    const gauge = new Gauge('g', { area });
    const actor = await startActor(backend);
    const threadId = await actor.run(
      async ({ load, state }, { url, memory }) => {
        const { openArea, Gauge } = await load(url);
        const gauge = new Gauge('g', { area: openArea(memory) });
        state['gauge'] = gauge;
        gauge.set(1e6);
        return process.getBuiltinModule('node:worker_threads').threadId;
      },
      { url: copyUrl('b', 'core.js'), memory: memoryOf(area) },
    );
    expect(gauge.values()).toEqual([
      { slot: 0, generation: 1, threadId: 0, value: 0 },
      { slot: 1, generation: 1, threadId, value: 1e6 },
    ]);
    await kill(actor);
    const bytes = bytesOf(area);
    expect(bytes.owner(1)).not.toBe(0n);
    expect(seen(gauge)).toEqual([[0, 1, 0]]);
    expect(area.reclaim()).toBe(1);
    expect(seen(gauge)).toEqual([[0, 1, 0]]);
    // The next owner of the slot does not use the gauge.
    bytes.plant(1, { owner: UNKNOWABLE, generation: 2 });
    expect(gauge.sum()).toBe(0);
  });

  test('a slot that changes hands while it is read is read again', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const gauge = new Gauge('g', { area });
    plant(area, 1, UNKNOWABLE, 1, 1, 5);
    const load = Atomics.load as (array: BigInt64Array, index: number) => bigint;
    const value = bytes.blockAt(1) / 8 + 1;
    let changes = 0;
    const spy = vi.spyOn(Atomics, 'load').mockImplementation(((array: BigInt64Array, index: number) => {
      const read = load.call(Atomics, array, index);
      if (
        (array.buffer as unknown) === area.buffer &&
        array instanceof BigInt64Array &&
        index === value &&
        changes++ === 0
      )
        plant(area, 1, UNKNOWABLE + 1n, 2, 2, 6);
      return read;
    }) as never);
    try {
      expect(seen(gauge)).toEqual([
        [0, 1, 0],
        [1, 2, 6],
      ]);
    } finally {
      spy.mockRestore();
    }
    expect(changes).toBe(2);
  });

  test('only finite numbers, and nothing is set by what is refused', () => {
    const area = smallArea(backend);
    const gauge = new Gauge('g', { area });
    gauge.set(Number.MAX_VALUE);
    const before = bytesOf(area).snapshot();
    const wrong = [Number.NaN, Infinity, -Infinity, '1', 1n, null, undefined, {}, Symbol('s')];
    for (const value of wrong) {
      failure('COEXIST_EINVAL', () => gauge.set(value as number));
      failure('COEXIST_EINVAL', () => gauge.add(value as number));
    }
    failure('COEXIST_EINVAL', () => gauge.add(Number.MAX_VALUE));
    expect(bytesOf(area).changed(before)).toEqual([]);
    for (const value of [-0, -(2 ** -1074), Number.MAX_VALUE, -Number.MAX_VALUE, 0.1]) {
      gauge.set(value);
      expect(gauge.own()).toBe(value);
      expect(gauge.sum()).toBe(value + 0);
    }
  });

  test('after disposal it sets nothing; its number stays while another registration keeps the claim', () => {
    const area = smallArea(backend);
    const keep = register({ area });
    const gauge = new Gauge('g', { area });
    gauge.set(3);
    gauge.dispose();
    const before = bytesOf(area).snapshot();
    for (const step of [() => gauge.set(1), () => gauge.set(Number.NaN), () => gauge.add(1), () => gauge.own()]) {
      failure('COEXIST_EUNREGISTERED', step);
    }
    gauge.dispose();
    gauge[Symbol.dispose]();
    expect(bytesOf(area).changed(before)).toEqual([]);
    expect(gauge.sum()).toBe(3);
    keep.unregister();
    expect([gauge.values(), gauge.sum(), gauge.min(), gauge.max()]).toEqual([[], 0, Number.NaN, Number.NaN]);
  });

  test('cut between clearing and stamping, there is no number, and it is cleared again', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const gauge = new Gauge('g', { area });
    gauge.set(9);
    bytes.u32[bytes.blockAt(0) / 4] = 77;
    expect(seen(gauge)).toEqual([]);
    expect(seen(new Gauge('g', { area }))).toEqual([[0, 1, 0]]);
  });
});

test('the stamp is stored after the number was cleared, and setting is a plain store where the engine stores 8 bytes at once', () => {
  const area = smallArea('twin');
  register({ area });
  // The entry is made: what remains is the block.
  new Gauge('g', { area }).dispose();
  const bytes = bytesOf(area);
  bytes.u32[bytes.blockAt(0) / 4] = 77;
  let gauge: Gauge | undefined;
  const writes = writesOf(area, () => {
    gauge = new Gauge('g', { area });
  });
  expect(lines(writes.filter(({ field }) => field === 'block[0]'))).toEqual(['block[0] = 0', 'block[0] = 1']);
  const sets = writesOf(area, () => gauge?.set(5));
  expect(['x64', 'arm64'].includes(process.arch) ? sets.length : 0).toBe(0);
  expect(gauge?.own()).toBe(5);
});
