// Ring as its users see it: what it takes and refuses, what its policies promise, and how records are handed on.

import vm from 'node:vm';
import { register } from 'coexist';
import { Counter, Ring, type RingRecord } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, on, openForged, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { pattern, ringMemory } from '../support/ring-memory.js';
import { UNKNOWABLE } from '../support/threads.js';

const numbers = (records: readonly RingRecord[]): number[] => records.map(({ sequence }) => sequence);

describe.each(BACKENDS)('%s', (backend) => {
  const made = (capacity = 256, policy: 'overwrite' | 'drop-newest' = 'drop-newest') => {
    const area = smallArea(backend);
    return { area, ring: on(backend, () => new Ring('r', { capacity, policy, area })) };
  };

  test('drop-newest keeps the oldest, overwrite the newest; both count what is lost', () => {
    for (const policy of ['drop-newest', 'overwrite'] as const) {
      const { ring } = made(128, policy);
      const stored = Array.from({ length: 10 }, (_, k) => ring.write(pattern(k, 16)));
      expect(stored.filter(Boolean).length).toBe(policy === 'overwrite' ? 10 : 4);
      expect(ring.stats()).toMatchObject({ attempted: 10n, delivered: 0n, dropped: 6n, pending: 4n });
      expect(numbers(ring.take())).toEqual(policy === 'overwrite' ? [6, 7, 8, 9] : [0, 1, 2, 3]);
      expect(ring.stats()).toMatchObject({ attempted: 10n, delivered: 4n, dropped: 6n, pending: 0n });
      expect([ring.policy, ring.capacity, ring.longest, ring.slot, ring.name]).toEqual([policy, 128, 48, 0, 'r']);
    }
  });

  test('takes any Uint8Array, of any realm, or the first bytes of one', () => {
    const { ring } = made(1024);
    const large = pattern(3, 64);
    const foreign = vm.runInNewContext('Uint8Array.of(1, 2, 3)') as Uint8Array;
    for (const bytes of [Buffer.from('buffer'), large.subarray(5, 9), foreign, new Uint8Array(0)]) {
      expect(ring.write(bytes)).toBe(true);
    }
    const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(9);
    expect([ring.write(large, 3), ring.write(large.subarray(60), 0), ring.write(shared, 2)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(ring.take().map(({ bytes }) => [...bytes])).toEqual([
      [...Buffer.from('buffer')],
      [...large.slice(5, 9)],
      [1, 2, 3],
      [],
      [...large.slice(0, 3)],
      [],
      [9, 9],
    ]);
  });

  test('what is no record is refused, and nothing is counted', () => {
    const { area, ring } = made();
    ring.write(pattern(1, 8));
    const bytes = bytesOf(area);
    const before = bytes.snapshot();
    for (const wrong of [undefined, null, 'text', [1, 2], 3, {}, new Int8Array(2), new DataView(new ArrayBuffer(2))]) {
      expect(failure('COEXIST_EINVAL', () => ring.write(wrong as Uint8Array)).found).toBe(wrong);
    }
    for (const length of [-1, 1.5, Number.NaN, 9, '1', Number.POSITIVE_INFINITY]) {
      failure('COEXIST_EINVAL', () => ring.write(pattern(1, 8), length as number));
    }
    failure('COEXIST_EINVAL', () => ring.write(pattern(1, 113)));
    for (const options of [{ limit: -1 }, { limit: 0.5 }, { slot: -1 }, { slot: 4 }, { timeout: -1 }, { slot: 0.5 }]) {
      failure('COEXIST_EINVAL', () => ring.take(options));
      failure('COEXIST_EINVAL', () => ring.drain(() => {}, options));
    }
    failure('COEXIST_EINVAL', () => ring.drain(undefined as never));
    failure('COEXIST_EINVAL', () => ring.peek({ slot: 4 }));
    expect(bytes.changed(before)).toEqual([]);
  });

  test('a subclass that lies about its length harms no other block', () => {
    const { area, ring } = made(64);
    const outside = ringMemory(area, 0).outside();
    class Liar extends Uint8Array {
      override get length(): number {
        return 1;
      }
    }
    expect(() => ring.write(new Liar(100))).toThrow(RangeError);
    expect([ringMemory(area, 0).outside(), ring.stats().attempted]).toEqual([outside, 0n]);
  });

  test('capacity: a power of two from 64 to what a block holds, one for every user of the name', () => {
    const area = smallArea(backend);
    const slots = (): unknown[] => [bytesOf(area).owner(0), bytesOf(area).header('block_used')];
    for (const capacity of [0, 32, 100, 96, 4096, 64.5, Number.NaN, '64', 2 ** 40]) {
      expect(failure('COEXIST_EINVAL', () => new Ring('r', { capacity: capacity as number, area })).found).toBe(
        capacity,
      );
    }
    failure('COEXIST_EINVAL', () => new Ring('r', { policy: 'newest' as never, capacity: 64, area }));
    expect(slots()).toEqual([0n, 0]);
    const ring = new Ring('r', { capacity: 2048, area });
    failure('COEXIST_EKIND', () => new Ring('r', { capacity: 1024, area }));
    failure('COEXIST_EKIND', () => Ring.reader('r', { capacity: 64, area }));
    failure('COEXIST_EKIND', () => new Counter('r', { area }));
    failure('COEXIST_ENOSPC', () => new Ring('another', { capacity: 2048, area }));
    expect(bytesOf(area).slot(0, 'refcount')).toBe(1);
    ring.dispose();
  });

  test('a writer holds a registration; a reader none', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const reader = on(backend, () => Ring.reader('r', { capacity: 64, area }));
    expect([reader.take(), reader.peek(), reader.drain(() => {})]).toEqual([[], [], 0]);
    expect(reader.stats()).toEqual({ attempted: 0n, delivered: 0n, dropped: 0n, pending: 0n, slots: [] });
    expect([bytes.header('slot_high_water'), bytes.owner(0)]).toEqual([0, 0n]);
    const ring = new Ring('r', { capacity: 64, area, holder: 'lib' });
    expect([bytes.slot(0, 'refcount'), bytes.holders(0)]).toEqual([1, 1n]);
    ring.write(pattern(0, 4));
    ring.dispose();
    ring.dispose();
    ring[Symbol.dispose]();
    expect(bytes.owner(0)).toBe(0n);
    const before = bytes.snapshot();
    failure('COEXIST_EUNREGISTERED', () => ring.write(pattern(1, 4)));
    expect(bytes.changed(before)).toEqual([]);
    expect([numbers(ring.peek()), numbers(reader.take()), ring.stats().delivered]).toEqual([[0], [0], 1n]);
  });

  test('a construction that fails leaves no registration', () => {
    const area = openForged(backend, (bytes) => {
      for (const i of [0, 1, 2, 3]) bytes.plant(i, { owner: UNKNOWABLE });
    });
    failure('COEXIST_EFULL', () => new Ring('r', { capacity: 64, area }));
    expect([0, 1, 2, 3].map((i) => bytesOf(area).slot(i, 'refcount'))).toEqual([1, 1, 1, 1]);
  });

  test('a new registration goes on behind what is pending, under its generation', () => {
    const { area, ring } = made();
    ring.write(pattern(0, 4));
    ring.dispose();
    const again = on(backend, () => new Ring('r', { capacity: 256, area }));
    again.write(pattern(1, 4));
    expect(again.take().map(({ generation, sequence }) => [generation, sequence])).toEqual([
      [1, 0],
      [2, 1],
    ]);
  });

  test('limit: so many at most, and the next drain begins where the last one ended', () => {
    const { area, ring } = made(256);
    for (const slot of [1, 2]) {
      const raw = ringMemory(area, slot);
      for (let k = 0; k < 3; k++) {
        raw.put(32 * k, { length: 16, generation: 1, sequence: BigInt(10 * slot + k), bytes: [...pattern(slot, 16)] });
      }
      raw.plant({ tail: 96 });
    }
    bytesOf(area).setHeader('slot_high_water', 3);
    for (let k = 0; k < 3; k++) ring.write(pattern(k, 16));
    expect(ring.take({ limit: 0 })).toEqual([]);
    expect(numbers(ring.take({ limit: 2 }))).toEqual([0, 1]);
    expect(numbers(ring.take({ limit: 4 }))).toEqual([10, 11, 12, 20]);
    expect(numbers(ring.take({ limit: 1 }))).toEqual([2]);
    expect(ring.drain(() => {}, { slot: 2, limit: 1 })).toBe(1);
    expect(numbers(ring.take())).toEqual([22]);
  });

  test('an error of the callback: the rest of what was taken out is handed on, then it is thrown', () => {
    const { area, ring } = made();
    const raw = ringMemory(area, 1);
    raw.put(0, { length: 0, generation: 1, sequence: 50n, bytes: [] });
    raw.plant({ tail: 16, attempted: 51 });
    bytesOf(area).setHeader('slot_high_water', 2);
    for (let k = 0; k < 4; k++) ring.write(pattern(k, 4));
    const got: number[] = [];
    const errors: Error[] = [];
    const callback = ({ sequence }: RingRecord): void => {
      got.push(sequence);
      if (sequence !== 1 && sequence !== 3) return;
      errors.push(new Error(`${sequence}`));
      throw errors.at(-1);
    };
    expect(() => ring.drain(callback)).toThrow('1');
    expect(got).toEqual([0, 1, 2, 3]);
    expect(ring.stats()).toMatchObject({ delivered: 4n, pending: 1n, dropped: 50n });
    expect([ring.drain(callback), got.at(-1)]).toEqual([1, 50]);
  });

  test('a callback may write, drain, and ask; it runs outside of the lock', () => {
    const { area, ring } = made(128);
    const raw = ringMemory(area, 0);
    for (let k = 0; k < 4; k++) ring.write(pattern(k, 16));
    const got: number[] = [];
    const count = ring.drain(({ sequence }) => {
      expect(raw.read('owner')).toBe(0n);
      got.push(sequence);
      if (sequence === 0) {
        expect(ring.write(pattern(9, 16))).toBe(true);
        expect(ring.stats().pending).toBe(1n);
        ring.drain((inner) => got.push(inner.sequence));
      }
    });
    expect([count, got]).toEqual([4, [0, 4, 1, 2, 3]]);
  });

  test('what is handed out is the reader’s own', () => {
    const { ring } = made(128, 'overwrite');
    ring.write(pattern(1, 16));
    const [peeked] = ring.peek();
    const [taken] = ring.take();
    for (let k = 0; k < 20; k++) ring.write(pattern(k + 5, 16));
    for (const record of [peeked, taken]) expect([...(record as RingRecord).bytes]).toEqual([...pattern(1, 16)]);
    taken?.bytes.fill(0);
    expect(numbers(ring.take())).toEqual([17, 18, 19, 20]);
  });

  test('peek takes nothing out, of one slot or of all', () => {
    const { ring } = made(128);
    for (let k = 0; k < 3; k++) ring.write(pattern(k, 16));
    for (let times = 0; times < 2; times++) expect(numbers(ring.peek())).toEqual([0, 1, 2]);
    expect([numbers(ring.peek({ slot: 0 })), ring.peek({ slot: 3 })]).toEqual([[0, 1, 2], []]);
    expect(ring.stats()).toMatchObject({ delivered: 0n, pending: 3n });
  });
});

test('the process’s own area, without options', () => {
  const registration = register();
  const ring = new Ring('defaults');
  expect([ring.capacity, ring.policy, ring.longest]).toEqual([4096, 'drop-newest', 2032]);
  expect([ring.write(pattern(0, 2032)), numbers(Ring.reader('defaults').take())]).toEqual([true, [0]]);
  ring.dispose();
  registration.unregister();
});
