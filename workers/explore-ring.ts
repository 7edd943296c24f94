// Explored: a writer, and drainers that compete, on a ring of 64 bytes, so that it wraps and fills up at once (clause 60). Variants:
// overwrite. Each thread notes in the heap, with ordinary stores, what it offered or got. At the end another one takes out the
// rest, and, where the writer was killed, goes on in its slot.

import type * as Core from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { assert, makeArea, nameInArea, openRig, type ProtocolData, resetRig, rigOf } from './explore-area.js';

interface RingData extends ProtocolData {
  readonly variant?: 'overwrite' | undefined;
}

export const setup = (context: ExploreContext) => makeArea(context, 2);
export const reset = resetRig;

const WRITER = 0;
/** Takes up the writer's slot; the drainers have none. */
const SLOT = 0;
const CAPACITY = 64;
/** Bytes of each record: with its head, twice half of the ring, then a quarter, and half again behind what stays empty at its end. */
const LENGTHS = [16, 4, 0, 9] as const;
const DRAINS = 2;

/** Words of a thread's notes, behind the ledger of the heap: a count, then sequences; of the writer, attempts and what was stored. */
const NOTES = 256;
const NOTE_WORDS = 32;
const notesAt = ({ area }: ReturnType<typeof rigOf>, thread: number): number =>
  (area.geometry.heapOffset >>> 2) + NOTES + thread * NOTE_WORDS;

const optionsOf = (context: ExploreContext) => {
  const { variant } = context.data as RingData;
  const { area } = rigOf(context);
  return { capacity: CAPACITY, policy: variant ?? 'drop-newest', area } as const;
};

/** The writer is registered, and the ring is there, before any schedule begins. */
export const prepare = (context: ExploreContext) =>
  openRig(context, ({ core, area }) => {
    if (context.index === WRITER) new core.Ring('r', { capacity: CAPACITY, area });
    else core.Ring.reader('r', { capacity: CAPACITY, area });
  });

/** Every byte of a record says which attempt it was. */
const byteOf = (attempt: number): number => attempt + 1;

function write(context: ExploreContext): void {
  const { core, inner } = rigOf(context);
  const notes = notesAt(rigOf(context), WRITER);
  const { i32 } = inner.views;
  const ring = new core.Ring('r', optionsOf(context));
  for (const [attempt, length] of LENGTHS.entries()) {
    i32[notes]!++;
    if (ring.write(new Uint8Array(length).fill(byteOf(attempt)))) i32[notes + 1]! |= 1 << attempt;
  }
}

function checkRecords(records: readonly Core.RingRecord[], after: number): void {
  let last = after;
  for (const { sequence, bytes } of records) {
    const whole = bytes.length === LENGTHS[sequence] && bytes.every((byte) => byte === byteOf(sequence));
    assert(whole, `record ${sequence} is torn: [${bytes}]`);
    assert(sequence > last, `record ${sequence} behind record ${last}`);
    last = sequence;
  }
}

function drain(context: ExploreContext): void {
  const rig = rigOf(context);
  const notes = notesAt(rig, context.index);
  const { i32 } = rig.inner.views;
  const reader = rig.core.Ring.reader('r', optionsOf(context));
  for (let k = 0; k < DRAINS; k++) {
    const count = i32[notes] as number;
    const records = reader.take();
    checkRecords(records, count > 0 ? (i32[notes + count] as number) : -1);
    for (const { sequence } of records) {
      i32[notes]!++;
      i32[notes + (i32[notes] as number)] = sequence;
    }
  }
}

export const threads = ({ threads: count }: RingData) =>
  Array.from({ length: count }, (_, index) => (index === WRITER ? write : drain));

type RingWord = keyof typeof Core.RING;

function ringAt(context: ExploreContext): number {
  const { core, area, inner } = rigOf(context);
  // The first entry of the directory.
  const offset = inner.views.u32[(area.geometry.directoryOffset + core.ENTRY.offset.offset) >>> 2] as number;
  return area.geometry.blockOffset + SLOT * area.geometry.blockStride + offset;
}

function wordOf(context: ExploreContext, name: RingWord): bigint {
  const { core, inner } = rigOf(context);
  return inner.views.i64[(ringAt(context) + core.RING[name].offset) >>> 3] as bigint;
}

const SEEN: readonly RingWord[] = ['head', 'tail', 'attempted', 'delivered'];

/** Head and tail are a ring apart at most, and nothing was delivered that was not attempted. */
export function invariant(context: ExploreContext): void {
  const [head, tail, attempted, delivered] = SEEN.map((name) => wordOf(context, name)) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  assert(head <= tail && tail - head <= CAPACITY, `head ${head}, tail ${tail}`);
  assert(delivered <= attempted, `${delivered} delivered of ${attempted} attempted`);
}

export function observed(address: number, context: ExploreContext): boolean {
  const { RING } = rigOf(context).core;
  return SEEN.some((name) => {
    const start = ringAt(context) + RING[name].offset;
    return address >= start && address < start + RING[name].size;
  });
}

export function names(address: number, context: ExploreContext): string | undefined {
  const { core } = rigOf(context);
  const at = address - ringAt(context);
  for (const [name, { offset, size }] of Object.entries(core.RING)) {
    if (at >= offset && at < offset + size) return `ring.${name}`;
  }
  return nameInArea(address, context);
}

export function after(context: ExploreContext): void {
  const rig = rigOf(context);
  const { core, area, inner } = rig;
  const { i32 } = inner.views;
  const notes = notesAt(rig, WRITER);
  const [attempts, stored] = [i32[notes] as number, i32[notes + 1] as number];
  const open = context.killed(WRITER) ? 1 : 0;
  let drainersKilled = 0;
  const seen = new Set<number>();
  const see = (sequence: number): void => {
    assert(!seen.has(sequence), `record ${sequence} was delivered twice`);
    seen.add(sequence);
  };
  for (let thread = 1; thread < context.threads; thread++) {
    if (context.killed(thread)) drainersKilled++;
    const at = notesAt(rig, thread);
    for (let k = 1; k <= (i32[at] as number); k++) see(i32[at + k] as number);
  }

  // Waits for nobody: who holds the inner lock now is dead, or this thread, which was killed itself.
  const reader = core.Ring.reader('r', optionsOf(context));
  const rest = reader.take();
  checkRecords(rest, -1);
  for (const { sequence } of rest) see(sequence);
  const stats = reader.stats();
  const unseen = Number(stats.delivered) - seen.size;
  const attempted = Number(stats.attempted);
  assert(stats.pending === 0n, `${stats.pending} records are left`);
  assert(stats.attempted === stats.delivered + stats.dropped, `${stats.delivered} + ${stats.dropped} of ${attempted}`);
  assert(attempted === attempts || attempted === attempts - open, `${attempted} attempted, expected ${attempts}`);
  let kept = 0;
  for (let k = 0; k < LENGTHS.length; k++) kept += (stored >> k) & 1;
  assert(Number(stats.delivered) <= kept + open, `${stats.delivered} delivered, ${kept} were stored`);
  assert(unseen >= 0, `${stats.delivered} delivered, ${seen.size} seen`);
  if (drainersKilled === 0) {
    assert(unseen === 0, `${stats.delivered} delivered, ${seen.size} seen`);
    if ((context.data as RingData).variant === undefined) {
      for (let k = 0; k < LENGTHS.length; k++) {
        if ((stored & (1 << k)) !== 0) assert(seen.has(k), `record ${k} was stored, and did not arrive`);
      }
    }
  }

  // Whoever runs this may be dead itself, and then owns nothing more.
  if (context.killed(context.index)) return;
  if (open > 0) area.reclaim();
  else if (context.index !== WRITER) return;
  const next = new core.Ring('r', { capacity: CAPACITY, policy: 'overwrite', area });
  assert(next.slot === SLOT, `the next owner has slot ${next.slot}`);
  assert(next.write(Uint8Array.of(77)), 'the next owner cannot write');
  const [last, ...more] = next.take();
  assert(more.length === 0 && last?.bytes[0] === 77 && last.sequence === attempted, 'the next owner did not go on');
}
