// Every prefix of every operation on a ring: the memory as it is before and after each single atomic operation is what a thread leaves
// that dies, or is cut by a vm timeout, right there. From each of them others go on: a drainer gets every record that is left whole, in
// order and once, the books close, and the next owner of the slot, or the thread itself, writes on. In wasm a write is one call
// that nothing cuts; a drain has its steps in both.

import { type Area, openArea } from 'coexist';
import { RING } from 'coexist/abi';
import { Ring } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, smallArea } from '../support/backends.js';
import { pattern, ringMemory } from '../support/ring-memory.js';
import { EARLIER_NAMESAKE, ownIdentity } from '../support/threads.js';

const self = ownIdentity();
const CAPACITY = 128;
const IDENTITY = (1n << 62n) - 1n;

type Atomic = (...args: unknown[]) => unknown;

/** The area's bytes before and after each atomic operation of the step, each state once. */
function statesOf(area: Area, step: () => unknown): Uint8Array[] {
  const bytes = new Uint8Array(area.buffer);
  const states: Uint8Array[] = [];
  const take = (): void => {
    const state = bytes.slice();
    const last = states.at(-1);
    if (last === undefined || Buffer.compare(last, state) !== 0) states.push(state);
  };
  const atomics = Atomics as unknown as Record<string, Atomic>;
  const originals = new Map<string, Atomic>();
  for (const name of ['load', 'store', 'add', 'compareExchange', 'notify']) {
    const original = atomics[name] as Atomic;
    originals.set(name, original);
    atomics[name] = (...args) => {
      take();
      const result = original.apply(Atomics, args);
      take();
      return result;
    };
  }
  take();
  try {
    step();
  } finally {
    for (const [name, original] of originals) atomics[name] = original;
  }
  take();
  return states;
}

/** Another memory with these bytes, opened; with `died`, whatever this thread owned has an owner that is proven dead. */
function reopen(backend: Backend, model: Area, state: Uint8Array, died: boolean): Area {
  const value = memoryOf(smallArea(backend));
  const buffer = 'buffer' in value ? value.buffer : value;
  new Uint8Array(buffer).set(state);
  if (died) {
    const words = new BigInt64Array(buffer);
    const { slotOffset, blockOffset } = model.geometry;
    for (let k = slotOffset / 8; k < words.length; k++) {
      // Owner words of slots and of locks; not what records hold.
      const inRing = k * 8 >= blockOffset && (k * 8 - blockOffset) % model.geometry.blockStride >= RING.token.offset;
      const word = words[k] as bigint;
      if (!inRing && (word & IDENTITY) === self) words[k] = (word & ~IDENTITY) | EARLIER_NAMESAKE;
    }
  }
  return on(backend, () => openArea(value));
}

interface Play {
  readonly policy: 'overwrite' | 'drop-newest';
  /** What was written, and taken out, before. */
  readonly before: (ring: Ring) => void;
  readonly step: (ring: Ring) => unknown;
}

const fill =
  (count: number, length: number) =>
  (ring: Ring): void => {
    for (let k = 0; k < count; k++) ring.write(pattern(k, length));
  };
const then =
  (...steps: ((ring: Ring) => unknown)[]) =>
  (ring: Ring): void => {
    for (const step of steps) step(ring);
  };
const writes = (length: number) => (ring: Ring) => ring.write(pattern(99, length));

const PLAYS: Readonly<Record<string, Play>> = {
  'the first write': { policy: 'drop-newest', before: () => {}, step: writes(16) },
  'a write behind others': { policy: 'drop-newest', before: fill(2, 16), step: writes(20) },
  'a write behind a pad': {
    policy: 'drop-newest',
    before: then(fill(3, 20), (ring) => ring.take({ limit: 2 }), fill(1, 0)),
    step: writes(30),
  },
  'a write that is dropped': { policy: 'drop-newest', before: fill(4, 16), step: writes(1) },
  'a write over one record': { policy: 'overwrite', before: fill(4, 16), step: writes(16) },
  'a write over several, and a pad': {
    policy: 'overwrite',
    before: then(fill(2, 0), fill(1, 48), fill(2, 0)),
    step: writes(48),
  },
  'a drain of all': { policy: 'drop-newest', before: fill(4, 16), step: (ring) => ring.take() },
  'a drain of some': { policy: 'overwrite', before: fill(6, 16), step: (ring) => ring.take({ limit: 2 }) },
  'a drain around the end': {
    policy: 'drop-newest',
    before: then(fill(3, 20), (ring) => ring.take(), fill(2, 5)),
    step: (ring) => ring.drain(() => {}),
  },
  'a look': { policy: 'overwrite', before: fill(6, 16), step: (ring) => ring.peek() },
  'the books': { policy: 'overwrite', before: fill(6, 16), step: (ring) => ring.stats() },
};

interface Got {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}
const shown = (records: readonly Got[]): string[] => records.map(({ sequence, bytes }) => `${sequence}:${[...bytes]}`);

describe.each(BACKENDS)('%s', (backend) => {
  describe.each(Object.entries(PLAYS))('%s', (name, { policy, before, step }) => {
    const area = smallArea(backend);
    const ring = on(backend, () => new Ring('r', { capacity: CAPACITY, policy, area }));
    before(ring);
    const start = ring.stats();
    const was = shown(ring.peek());
    const drains = name.startsWith('a drain');
    const states = statesOf(area, () => step(ring));
    const end = ring.stats();
    const becomes = shown(ring.peek());

    test.each([
      ['dies', true],
      ['is cut, and goes on', false],
    ] as const)('%s', (_, died) => {
      expect(states.length).toBeGreaterThan(name === 'a look' ? 0 : 1);
      for (const [k, state] of states.entries()) {
        const where = `state ${k} of ${states.length}`;
        const left = reopen(backend, area, state, died);
        const reader = on(backend, () => Ring.reader('r', { capacity: CAPACITY, area: left }));
        const stats = reader.stats();
        // Nothing is half done: what was pending is, or is not any more; what came is there whole, or not.
        const records = shown(reader.peek());
        const newest = becomes.at(-1) as string;
        const kept = drains ? records : records.filter((record) => record !== newest || was.includes(record));
        expect(was.slice(was.length - kept.length), where).toEqual(kept);
        if (drains) expect([was.length, becomes.length], where).toContain(records.length);
        expect(stats.attempted, where).toBeGreaterThanOrEqual(start.attempted);
        expect(stats.attempted, where).toBeLessThanOrEqual(end.attempted);
        expect(stats.attempted, where).toBe(stats.delivered + stats.dropped + stats.pending);
        expect(stats.pending, where).toBe(BigInt(records.length));
        expect([start.delivered, end.delivered], where).toContain(stats.delivered);
        if (records.includes(newest) && !was.includes(newest)) expect(stats.attempted, where).toBe(end.attempted);

        if (died) left.reclaim();
        const next = on(backend, () => new Ring('r', { capacity: CAPACITY, policy: 'overwrite', area: left }));
        expect([next.slot, left.inspect().slots.length], where).toEqual([0, 1]);
        const fresh = pattern(55, 33);
        expect(next.write(fresh), where).toBe(true);
        const taken = next.take();
        const last = `${stats.attempted}:${[...fresh]}`;
        const rest = shown(taken).slice(0, -1);
        expect(shown(taken).at(-1), where).toBe(last);
        expect(records.slice(records.length - rest.length), where).toEqual(rest);
        const books = next.stats();
        expect(books.attempted, where).toBe(stats.attempted + 1n);
        expect(books.pending, where).toBe(0n);
        expect(books.delivered, where).toBe(stats.delivered + BigInt(taken.length));
        expect(ringMemory(left, 0).read('owner'), where).toBe(0n);
        expect(bytesOf(left).owner(0), where).toBe(self);
        next.dispose();
      }
    });
  });
});
