// What the records of a ring's stress run hold, and how a drainer tells that one is whole: the writer's number, which attempt of its it
// was, and as many bytes made of both as they say. What was found goes into entries, one for each run of records of one writer.

import type { RingRecord } from '../src/core.js';

export const RING_NAME = 'stress/ring';

/** Bytes: two words, then 0 to 48 more. */
const HEAD = 8;
const MOST = 48;
export const LONGEST = HEAD + MOST;

const mix = (a: number, b: number): number => {
  const x = Math.imul(a ^ 0x9e3779b1, 0x85ebca6b) ^ Math.imul(b + 0x27d4eb2f, 0xc2b2ae35);
  return (x ^ (x >>> 15)) >>> 0;
};

/** Bytes of this record, its head included. */
const lengthOf = (writer: number, number: number): number => HEAD + (mix(number, writer) % (MOST + 1));

const wordOf = (writer: number, number: number, k: number): number =>
  Math.imul(mix(writer, number) + k, 0x01000193) >>> 0;

/** Makes records in one place, one after the other. */
export function createMaker(writer: number): (number: number) => Uint8Array {
  const words = new Uint32Array(LONGEST / 4);
  const views = Array.from({ length: LONGEST + 1 }, (_, length) => new Uint8Array(words.buffer, 0, length));
  words[0] = writer;
  return (number) => {
    const length = lengthOf(writer, number);
    words[1] = number;
    for (let k = 2; k * 4 < length; k++) words[k] = wordOf(writer, number, k);
    return views[length]!;
  };
}

/** Records of one writer that were taken out together, from the first sequence to the last. */
export interface Entry {
  readonly writer: number;
  readonly slot: number;
  readonly generation: number;
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** Sequence of the writer's attempt 0, as its records say: one and the same in all of them. */
  readonly base: number;
  /** 0, or 1 more than the index of the rule that the last record breaks. */
  readonly wrong: number;
}

export const RECORD_RULES = ['record torn', 'records out of order', 'records of another attempt'] as const;

/** Looks at records of one slot that were taken out together. */
export function inspectBatch(records: readonly RingRecord[], emit: (entry: Entry) => void): void {
  const [start] = records;
  if (start === undefined) return;
  // They lie in one buffer, each at a multiple of 16.
  const words = new Uint32Array(start.bytes.buffer, 0, start.bytes.buffer.byteLength >>> 2);
  let open: Entry | undefined;
  let [first, last, count] = [0, -1, 0];
  const close = (wrong: number): void => {
    if (open !== undefined) emit({ ...open, first, last, count, wrong });
    open = undefined;
  };
  for (const { slot, generation, sequence, bytes } of records) {
    const at = bytes.byteOffset >>> 2;
    const writer = words[at] as number;
    const number = words[at + 1] as number;
    const base = sequence - number;
    if (open === undefined || open.writer !== writer || open.generation !== generation) {
      close(0);
      open = { writer, slot, generation, first: sequence, last: sequence, count: 0, base, wrong: 0 };
      first = sequence;
      count = 0;
    }
    const inOrder = sequence > last;
    last = sequence;
    count++;
    if (!isWhole(bytes, words, at, writer, number)) close(1);
    else if (!inOrder) close(2);
    else if (base !== open.base) close(3);
  }
  close(0);
}

function isWhole(bytes: Uint8Array, words: Uint32Array, at: number, writer: number, number: number): boolean {
  const { length } = bytes;
  if (length !== lengthOf(writer, number)) return false;
  const whole = length >>> 2;
  for (let k = 2; k < whole; k++) if (words[at + k] !== wordOf(writer, number, k)) return false;
  if ((length & 3) === 0) return true;
  const rest = wordOf(writer, number, whole);
  for (let k = whole * 4; k < length; k++) if (bytes[k] !== ((rest >>> ((k & 3) * 8)) & 255)) return false;
  return true;
}
