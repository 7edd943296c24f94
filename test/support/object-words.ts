// Objects of an area as words with names, read and written as docs/ABI.md lays them out: a test plants what others leave there, and
// sees every word that is not 0, those included that no table assigns. Uses the tables of coexist/abi and nothing else of the library.

import type { Area } from 'coexist';
import { type Field, KINDS } from 'coexist/abi';
import { type AreaBytes, bytesOf } from './area-bytes.js';

export type Words = Readonly<Record<string, number | bigint>>;

export interface Entry {
  readonly number: number;
  readonly at: number;
  readonly size: number;
  readonly version: number;
}

/** The entry of a name; its range begins at `at`. */
export function entryOf(bytes: AreaBytes, kind: keyof typeof KINDS, name: string): Entry {
  for (let k = 0; bytes.entry(k, 'state') !== 0; k++) {
    if (bytes.entry(k, 'kind') !== KINDS[kind].number || bytes.entryName(k) !== name) continue;
    return {
      number: k,
      at: bytes.entry(k, 'offset'),
      size: bytes.entry(k, 'size'),
      version: bytes.entry(k, 'version'),
    };
  }
  throw new Error(`no ${kind} has the name ${name}`);
}

/** Names of all entries of a kind. */
export function namesOf(bytes: AreaBytes, kind: keyof typeof KINDS): string[] {
  const names: string[] = [];
  for (let k = 0; bytes.entry(k, 'state') !== 0; k++) {
    if (bytes.entry(k, 'kind') === KINDS[kind].number) names.push(bytes.entryName(k));
  }
  return names;
}

export type ObjectWords = ReturnType<typeof objectWords>;

/** `free` are ranges, from the object's beginning, whose content is up to its users. */
export function objectWords(
  area: Area,
  at: number,
  size: number,
  fields: ReadonlyMap<string, Field>,
  free: readonly (readonly [from: number, to: number])[] = [],
) {
  const bytes = bytesOf(area);
  const { u8, u32, i64 } = bytes;
  const i32 = new Int32Array(area.buffer);
  const fieldOf = (name: string): Field => {
    const field = fields.get(name);
    if (field === undefined) throw new Error(`there is no word ${name}`);
    return field;
  };
  const read = (name: string): number | bigint => {
    const { offset, size: width } = fieldOf(name);
    return width === 8 ? Atomics.load(i64, (at + offset) >>> 3) : Atomics.load(u32, (at + offset) >>> 2);
  };
  return {
    area,
    bytes,
    i32,
    at,
    size,
    read,
    word: (name: string): number => Number(read(name)),
    long: (name: string): bigint => BigInt(read(name)),
    futexOf: (name: string): number => (at + fieldOf(name).offset) >>> 2,
    plant(words: Words): void {
      for (const [name, value] of Object.entries(words)) {
        const { offset, size: width } = fieldOf(name);
        if (width === 8) Atomics.store(i64, (at + offset) >>> 3, BigInt(value));
        else Atomics.store(u32, (at + offset) >>> 2, Number(value));
      }
    },
    /** Every word that is not 0, by name; what no table assigns, by its offset. */
    words(): Record<string, number | bigint> {
      const found: Record<string, number | bigint> = {};
      const named = new Set<number>();
      for (const [name, { offset, size: width }] of fields) {
        for (let k = 0; k < width; k += 4) named.add(offset + k);
        const value = read(name);
        if (BigInt(value) !== 0n) found[name] = value;
      }
      for (let offset = 0; offset < size; offset += 4) {
        if (named.has(offset) || free.some(([from, to]) => offset >= from && offset < to)) continue;
        const value = Atomics.load(u32, (at + offset) >>> 2);
        if (value !== 0) found[`reserved@${offset}`] = value;
      }
      return found;
    },
    /** All bytes of the area but this object's, as text, to compare. */
    outside(...others: readonly (readonly [from: number, to: number])[]): string {
      const copy = u8.slice();
      copy.fill(0, at, at + size);
      for (const [from, to] of others) copy.fill(0, from, to);
      return Buffer.from(copy).toString('base64');
    },
    /** Has so many sleepers wait on a word, as other threads would. */
    sleepers(name: string, count: number): void {
      const index = (at + fieldOf(name).offset) >>> 2;
      for (let k = 0; k < count; k++) Atomics.waitAsync(i32, index, i32[index] as number, 20_000);
    },
    /** Wakes all that sleep on a word, and says how many those were. */
    asleep: (name: string): number => Atomics.notify(i32, (at + fieldOf(name).offset) >>> 2),
  };
}
