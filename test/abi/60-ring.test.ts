// Clause 60: rings, word by word: what a write and a drain leave in memory, and what is made of what others have left there.

import { KINDS, RING_BYTES } from 'coexist/abi';
import { Ring } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { BACKENDS, type Backend, on, openIn, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { pattern, type RingMemory, ringMemory } from '../support/ring-memory.js';
import { EARLIER_NAMESAKE, UNKNOWABLE } from '../support/threads.js';

const sequences = (records: readonly { readonly sequence: number }[]): number[] =>
  records.map(({ sequence }) => sequence);

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const made = (capacity: number, policy: 'overwrite' | 'drop-newest' = 'drop-newest') => {
    const area = smallArea(backend);
    const ring = on(backend, () => new Ring('r', { capacity, policy, area }));
    return { area, ring, raw: ringMemory(area, 0) };
  };
  /** A record by hand, at the tail. */
  const put = (raw: RingMemory, sequence: number, length = 16, generation = 7): void => {
    const tail = raw.read('tail');
    const place = Number(tail % BigInt(raw.capacity));
    raw.put(place, { length, generation, sequence: BigInt(sequence), bytes: [...pattern(sequence, length)] });
    raw.plant({ tail: tail + BigInt(16 + Math.ceil(length / 16) * 16), attempted: sequence + 1 });
  };

  test('an entry of kind ring, 128 bytes and the capacity in every block, zero to begin with', () => {
    const { raw } = made(64);
    expect([raw.entry('kind'), raw.entry('version'), raw.entry('size'), raw.entry('flags')]).toEqual([
      KINDS.ring.number,
      1,
      RING_BYTES + 64,
      0,
    ]);
    expect(Object.values(raw.words())).toEqual([0n, 0n, 0n, 0n, 0n, 0n]);
  });

  test('a write: the bytes, the record’s head, attempted, tail; nothing else anywhere', () => {
    const { area, ring, raw } = made(256);
    raw.bytes.setSlot(0, 'generation', 9);
    const again = on(backend, () => new Ring('r', { capacity: 256, area }));
    const outside = raw.outside();
    for (const [k, length] of [0, 1, 16, 17, 5].entries()) expect(again.write(pattern(k, length))).toBe(true);
    expect(raw.words()).toEqual({ owner: 0n, token: 0n, delivered: 0n, head: 0n, attempted: 5n, tail: 160n });
    expect(raw.pending()).toEqual(
      [0, 1, 16, 17, 5].map((length, k) => ({
        place: [0, 16, 48, 80, 128][k],
        length,
        generation: 9,
        sequence: BigInt(k),
        bytes: [...pattern(k, length)],
      })),
    );
    expect(raw.outside()).toBe(outside);
    again.dispose();
    ring.dispose();
  });

  test('a record does not wrap: what would be cut begins at the beginning, and a pad says so', () => {
    const { ring, raw } = made(128);
    ring.write(pattern(0, 48));
    ring.take();
    ring.write(pattern(1, 32));
    expect(raw.words()).toMatchObject({ head: 64n, tail: 112n });
    // 16 bytes are left before the end: the record needs 32, and 16 are left empty.
    expect(ring.write(pattern(2, 16))).toBe(true);
    expect(raw.words()).toMatchObject({ head: 64n, tail: 160n, attempted: 3n });
    expect(raw.pending().map((record) => (record === 'pad' ? record : [record.place, record.sequence]))).toEqual([
      [64, 1n],
      'pad',
      [0, 2n],
    ]);
    expect(ring.take().map(({ sequence, bytes }) => [sequence, [...bytes]])).toEqual([
      [1, [...pattern(1, 32)]],
      [2, [...pattern(2, 16)]],
    ]);
    expect(raw.words()).toMatchObject({ head: 160n, tail: 160n, delivered: 3n, owner: 0n });
  });

  test('without room, what is to be left empty at the end included: attempted + 1, nothing else', () => {
    const { ring, raw } = made(64);
    for (let k = 0; k < 4; k++) expect(ring.write(pattern(k, 0))).toBe(true);
    expect(ring.write(pattern(4, 0))).toBe(false);
    expect(raw.words()).toMatchObject({ head: 0n, tail: 64n, attempted: 5n });
    expect(ring.take({ limit: 3 }).length).toBe(3);
    expect(ring.write(pattern(5, 16))).toBe(true);
    expect(raw.words()).toMatchObject({ head: 48n, tail: 96n });
    // 32 bytes to the end, 16 free.
    expect(ring.write(pattern(6, 16))).toBe(false);
    expect(sequences(ring.take())).toEqual([3, 5]);
    for (const k of [7, 8]) ring.write(pattern(k, 0));
    ring.take();
    for (const k of [9, 10, 11]) ring.write(pattern(k, 0));
    ring.take({ limit: 1 });
    const before = raw.words();
    expect(before).toMatchObject({ head: 144n, tail: 176n });
    // 32 bytes are free, 16 of them before the end, and those would be left empty.
    expect(ring.write(pattern(12, 16))).toBe(false);
    expect(raw.words()).toEqual({ ...before, attempted: 13n });
    expect(sequences(ring.take())).toEqual([10, 11]);
    expect(ring.stats()).toMatchObject({ attempted: 13n, delivered: 10n, dropped: 3n, pending: 0n });
  });

  test('where the oldest are overwritten, head moves past as many as are in the way, and no further', () => {
    const { ring, raw } = made(128, 'overwrite');
    for (let k = 0; k < 8; k++) ring.write(pattern(k, 0));
    expect(raw.words()).toMatchObject({ head: 0n, tail: 128n });
    expect(ring.write(pattern(8, 20))).toBe(true);
    expect(raw.words()).toMatchObject({ head: 48n, tail: 176n, attempted: 9n, delivered: 0n });
    expect(ring.write(pattern(9, 48))).toBe(true);
    // 64 bytes from place 48 on.
    expect(raw.words()).toMatchObject({ head: 112n, tail: 240n });
    expect(sequences(ring.peek())).toEqual([7, 8, 9]);
    // Over the pad of 16 bytes at the end, and what it stands before.
    expect(ring.write(pattern(10, 16))).toBe(true);
    expect(raw.words()).toMatchObject({ head: 176n, tail: 288n });
    expect(ring.take().map(({ sequence, bytes }) => [sequence, [...bytes]])).toEqual([
      [9, [...pattern(9, 48)]],
      [10, [...pattern(10, 16)]],
    ]);
    expect(ring.stats()).toMatchObject({ attempted: 11n, delivered: 2n, dropped: 9n, pending: 0n });
  });

  test('at most capacity / 2 - 16 bytes, which fit in every position of an empty ring', () => {
    for (const capacity of [64, 128, 1024]) {
      const { ring, raw } = made(capacity);
      const longest = capacity / 2 - 16;
      expect(ring.longest).toBe(longest);
      const before = raw.bytes.snapshot();
      expect(failure('COEXIST_EINVAL', () => ring.write(new Uint8Array(longest + 1))).found).toBe(longest + 1);
      expect(raw.bytes.changed(before)).toEqual([]);
      for (let k = 0; k < capacity / 16; k++) {
        expect(ring.write(pattern(k, 0))).toBe(true);
        expect(ring.write(pattern(k, longest))).toBe(true);
        expect(ring.take().map(({ bytes }) => [...bytes])).toEqual([[], [...pattern(k, longest)]]);
      }
    }
  });

  test('a foreign writer’s records are read, by 64-bit sequence and by generation', () => {
    const { ring, raw } = made(256);
    raw.plant({ head: 2 ** 40, tail: 2 ** 40, attempted: 2n ** 33n + 5n, delivered: 2n ** 33n });
    put(raw, 2 ** 33 + 5, 16, 0xffffffff);
    put(raw, 2 ** 33 + 6, 3, 1);
    expect(
      ring.take().map(({ slot, generation, sequence, bytes }) => [slot, generation, sequence, [...bytes]]),
    ).toEqual([
      [0, 0xffffffff, 2 ** 33 + 5, [...pattern(2 ** 33 + 5, 16)]],
      [0, 1, 2 ** 33 + 6, [...pattern(2 ** 33 + 6, 3)]],
    ]);
    expect(raw.words()).toMatchObject({ delivered: 2n ** 33n + 2n, head: 2n ** 40n + 64n });
    expect(ring.stats()).toMatchObject({ attempted: 2n ** 33n + 7n, dropped: 5n });
  });

  test('positions beyond 32 bits, in the middle of a carry', () => {
    const area = smallArea(backend);
    const first = on(backend, () => new Ring('r', { capacity: 64, area }));
    const raw = ringMemory(area, 0);
    raw.plant({ head: 2n ** 32n - 32n, tail: 2n ** 32n - 32n });
    const ring = on(backend, () => new Ring('r', { capacity: 64, area, policy: 'overwrite' }));
    for (let k = 0; k < 5; k++) ring.write(pattern(k, 5));
    expect(raw.words()).toMatchObject({ head: 2n ** 32n + 64n, tail: 2n ** 32n + 128n });
    expect(sequences(first.take())).toEqual([3, 4]);
  });

  test('another head than the one last seen: it is read again before anything is dropped, never trusted too far', () => {
    const { area, ring, raw } = made(64);
    const other = on(backend, () => new Ring('r', { capacity: 64, area, policy: 'overwrite' }));
    for (let k = 0; k < 4; k++) ring.write(pattern(k, 0));
    // The other writes 4 GiB: seen modulo 2^32, the first one's head would now be right.
    raw.plant({ head: 2n ** 32n, tail: 2n ** 32n + 64n });
    expect(ring.write(pattern(4, 0))).toBe(false);
    expect(other.write(pattern(5, 0))).toBe(true);
    expect(sequences(other.take())).toEqual([1, 2, 3, 5]);
    expect(ring.write(pattern(6, 0))).toBe(true);
  });

  test('a drain holds the inner lock, and leaves it', async () => {
    const { area, ring, raw } = made(256);
    ring.write(pattern(0, 8));
    // Somebody who lives, for all that is known.
    raw.plant({ owner: UNKNOWABLE });
    const before = raw.words();
    expect([ring.take(), ring.drain(() => {})]).toEqual([[], 0]);
    // One that gives up leaves no trace.
    expect(raw.words()).toEqual(before);
    expect(ring.take({ timeout: 5 })).toEqual([]);
    expect(raw.words()).toEqual(before);
    expect(sequences(ring.peek())).toEqual([0]);
    // Proven dead: taken over, and marked consistent.
    for (const flags of [0n, 1n << 62n, -(1n << 63n)]) {
      raw.plant({ owner: BigInt.asIntN(64, EARLIER_NAMESAKE | flags) });
      expect(sequences(ring.take())).toEqual([Number(raw.read('attempted')) - 1]);
      expect(raw.read('owner')).toBe(0n);
      ring.write(pattern(1, 8));
    }
    // The other backend, in another copy.
    const { lib, area: same } = await openIn('b', backend === 'wasm' ? 'twin' : 'wasm', area);
    expect(sequences(lib.Ring.reader('r', { capacity: 256, area: same }).take())).toEqual([3]);
    expect(raw.read('delivered')).toBe(4n);
  });

  test('found held by its own thread, the lock was left by a cut: the drain goes on', () => {
    const { ring, raw } = made(256);
    ring.write(pattern(0, 8));
    const own = raw.bytes.owner(0);
    for (const flags of [0n, -(1n << 63n)]) {
      raw.plant({ owner: BigInt.asIntN(64, own | flags) });
      expect(ring.take().length).toBe(1);
      expect(raw.read('owner')).toBe(0n);
      ring.write(pattern(0, 8));
    }
  });

  test('a record that cannot be: head goes to tail, and the ring goes on', () => {
    for (const [length, behind] of [
      [0xfffffffe, 0],
      [49, 0],
      [200, 0],
      [0x80000000, 0],
      [17, 1],
    ] as const) {
      for (const policy of ['drop-newest', 'overwrite'] as const) {
        const { ring, raw } = made(64, policy);
        for (let k = 0; k < behind; k++) put(raw, k, 0);
        raw.put(Number(raw.read('tail')), { length, generation: 1, sequence: 9n, bytes: [] });
        raw.plant({ tail: raw.read('tail') + 32n, attempted: 9n });
        expect(sequences(ring.peek())).toEqual(behind === 1 ? [0] : []);
        if (policy === 'overwrite') {
          ring.write(pattern(9, 16));
          ring.write(pattern(10, 16));
        } else {
          expect(sequences(ring.take())).toEqual(behind === 1 ? [0] : []);
          expect(ring.take()).toEqual([]);
          ring.write(pattern(9, 16));
        }
        expect(sequences(ring.take()).at(-1)).toBe(policy === 'overwrite' ? 10 : 9);
        const { head, tail } = raw.words();
        expect(tail - head).toBe(0n);
      }
    }
  });

  test('head and tail that cannot be: a drain sets them right and hands out nothing', () => {
    for (const [head, tail] of [
      [0, 80],
      [96, 32],
      [0, 2 ** 40],
    ] as const) {
      const { ring, raw } = made(64);
      raw.plant({ head, tail });
      expect(ring.peek()).toEqual([]);
      expect(ring.take()).toEqual([]);
      expect(raw.words()).toMatchObject({ head: BigInt(tail), tail: BigInt(tail), delivered: 0n });
      expect([ring.write(pattern(0, 3)), sequences(ring.take())]).toEqual([true, [0]]);
    }
  });

  test('all slots below high water are read, live and dead; none above', () => {
    const { area, ring, raw } = made(64);
    for (const slot of [1, 2, 3]) put(ringMemory(area, slot), 10 * slot);
    ring.write(pattern(0, 1));
    raw.bytes.plant(1, { owner: EARLIER_NAMESAKE });
    raw.bytes.plant(2, { owner: 0n });
    const reader = on(backend, () => Ring.reader('r', { capacity: 64, area }));
    expect(reader.peek().map(({ slot, sequence }) => [slot, sequence])).toEqual([
      [0, 0],
      [1, 10],
      [2, 20],
    ]);
    expect(reader.stats().slots.map(({ slot, pending }) => [slot, pending])).toEqual([
      [0, 1n],
      [1, 1n],
      [2, 1n],
    ]);
    expect(reader.take({ slot: 3 }).length).toBe(1);
    expect(reader.take().map(({ slot }) => slot)).toEqual([0, 1, 2]);
  });
});
