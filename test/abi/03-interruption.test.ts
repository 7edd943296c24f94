// Clause 3: what is left where a thread is cut between two operations. The states that the prefixes of register and unregister
// leave are written by hand, on both backends: a copy in JavaScript may be cut and one in wasm go on.

import '../support/slot-index.js';
import { type Area, register } from 'coexist';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type AreaBytes, bytesOf } from '../support/area-bytes.js';
import { BACKENDS, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { inProcess } from '../support/own-process.js';
import { ownIdentity, threadAnchor } from '../support/threads.js';

afterEach(() => void vi.restoreAllMocks());

const id = ownIdentity();
const WRITES = ['store', 'compareExchange', 'exchange', 'or', 'and', 'xor', 'add', 'sub'] as const;

// Each state starts from a thread that holds slot 1, generation 5, with one registration, under high water 2.
interface Cut {
  readonly name: string;
  readonly anchor: readonly [number, number];
  leave(bytes: AreaBytes): void;
  /** Refcount after the next registration: one too high at most. */
  readonly count?: number;
}

const unpublished = (bytes: AreaBytes): void => {
  bytes.setSlot(1, 'cpu_id', -1);
  bytes.setSlot(1, 'refcount', 0);
};

const CUTS: readonly Cut[] = [
  { name: 'claim: busy', anchor: [-1, 1], leave: (b) => b.setOwner(1, 0n) },
  {
    name: 'claim: high water raised',
    anchor: [-1, 1],
    leave: (b) => {
      b.setOwner(1, 0n);
      b.setHeader('slot_high_water', 3);
    },
  },
  { name: 'claim: preparing, untouched', anchor: [-1, 1], leave: (b) => b.setOwner(1, -id) },
  {
    name: 'claim: preparing, half reset',
    anchor: [-1, 1],
    leave: (b) => {
      b.setOwner(1, -id);
      b.setSlot(1, 'cpu_id', 0);
      b.setSlot(1, 'refcount', 9);
    },
  },
  {
    name: 'claim: owned, anchor not written',
    anchor: [-1, 1],
    leave: unpublished,
  },
  {
    name: 'claim: anchor written, still busy',
    anchor: [1, 1],
    leave: unpublished,
  },
  { name: 'register: counted, not published', anchor: [1, 0], leave: (b) => b.setSlot(1, 'cpu_id', -1) },
  { name: 'unregister: handle ended, count not yet down', anchor: [1, 1], leave: () => {}, count: 2 },
  { name: 'unregister: cpu_id -1', anchor: [1, 1], leave: (b) => b.setSlot(1, 'cpu_id', -1) },
  {
    name: 'unregister: refcount 0',
    anchor: [1, 1],
    leave: unpublished,
  },
  {
    name: 'unregister: anchor void, owner not yet',
    anchor: [-1, 1],
    leave: unpublished,
  },
  { name: 'unregister: freed, still busy, hint not lowered', anchor: [-1, 1], leave: (b) => b.setOwner(1, 0n) },
  { name: 'unregister in wasm: freed, anchor names the slot', anchor: [1, 1], leave: (b) => b.setOwner(1, 0n) },
];

function cutState(area: Area, cut: Cut): AreaBytes {
  const bytes = bytesOf(area);
  register({ area }).unregister();
  bytes.plant(1, { owner: id, generation: 5 });
  bytes.setHeader('slot_hint', 2);
  cut.leave(bytes);
  threadAnchor(area)?.set(cut.anchor);
  return bytes;
}

describe.each(BACKENDS)('%s', (backend) => {
  test.each(CUTS)('the next registration repairs $name', (cut) => {
    const area = smallArea(backend);
    const bytes = cutState(area, cut);
    const count = cut.count ?? 1;

    const registration = register({ area });
    expect(bytes.slot(registration.slot, 'refcount')).toBe(count);
    expect(bytes.cpuId(registration.slot)).toBe(registration.slot);
    expect(bytes.owner(registration.slot)).toBe(id);
    const owned = [0, 1, 2, 3].filter((i) => bytes.owner(i) === id || bytes.owner(i) === -id);
    expect(owned).toEqual([registration.slot]);
    expect(threadAnchor(area)?.[0]).toBe(registration.slot);

    registration.unregister();
    expect(bytes.slot(registration.slot, 'refcount')).toBe(count - 1);
    if (count === 1) expect([0, 1, 2, 3].map((i) => bytes.owner(i))).toEqual([0n, 0n, 0n, 0n]);
  });

  test('the wasm transitions leave nothing to cut: no Atomics write of JavaScript takes part in them', () => {
    const area = smallArea(backend);
    const spies = WRITES.map((name) => vi.spyOn(Atomics, name));
    const outer = register({ area });
    register({ area }).unregister();
    outer.unregister();
    const writes = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    vi.restoreAllMocks();
    if (backend === 'wasm') expect(writes).toBe(0);
    else expect(writes).toBeGreaterThan(10);
    expect(bytesOf(area).slot(0, 'registered_total')).toBe(2);
  });
});

test('a handle marks itself unregistered before it counts down', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  register({ area });
  const cut = register({ area });
  vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce(() => {
    throw new Error('cut here');
  });
  expect(() => cut.unregister()).toThrow('cut here');
  const before = bytes.snapshot();
  failure('COEXIST_EUNREGISTERED', () => cut.unregister());
  expect(bytes.changed(before)).toEqual([]);
  expect(bytes.slot(0, 'refcount')).toBe(2);
});

test('an evaluation in the main thread creates and publishes, and registers nothing', async () => {
  const { result } = await inProcess(async ({ actor, urls, threads, AREA, THREAD }) => {
    const worker = await actor();
    await worker.run(async ({ load }, url) => (await load(url)).attach().id, urls.a);
    const value = threads[AREA] as { buffer: SharedArrayBuffer };
    const highWater = new Uint32Array(value.buffer ?? value)[9];
    const state = { anchored: value !== undefined, thread: threads[THREAD] !== undefined, highWater };
    await worker.terminate();
    return state;
  });
  expect(result).toEqual({ anchored: true, thread: false, highWater: 0 });
});
