// Channels and bells as words (docs/ABI.md, clauses 61 to 66): the words of a channel and its cells by name, as in `cell1.state`, and
// a second implementation over them (workers/raw-call.ts), which plays the other thread.

import type { Area } from 'coexist';
import * as abi from 'coexist/abi';
import { CELL, CELL_DATA_OFFSET, CHANNEL, CHANNEL_CELLS_OFFSET, CHANNEL_NAMES_OFFSET, type Field } from 'coexist/abi';
import { type RawChannel, rawChannel } from '../../workers/raw-call.js';
import { type AreaBytes, bytesOf } from './area-bytes.js';
import { entryOf, objectWords } from './object-words.js';
import { livesInProc } from './threads.js';

export const PHASES = {
  IDLE: abi.PHASE_IDLE,
  REQUEST: abi.PHASE_REQUEST,
  TAKEN: abi.PHASE_TAKEN,
  WANT: abi.PHASE_WANT,
  REPLY: abi.PHASE_REPLY,
  GONE: abi.PHASE_GONE,
} as const;
export type Phase = keyof typeof PHASES;

/** A state word. */
export const state = (ticket: number, phase: Phase): number => ((ticket << abi.TICKET_SHIFT) | PHASES[phase]) >>> 0;
export const phaseOf = (word: number): Phase =>
  (Object.keys(PHASES) as Phase[]).find((name) => PHASES[name] === (word & abi.PHASE_MASK)) as Phase;
export const ticketOf = (word: number): number => word >>> abi.TICKET_SHIFT;

/** Where the bells lie in every block. */
export const bellOffset = (bytes: AreaBytes): number => entryOf(bytes, 'key', abi.BELL_KEY).at;
export function bellAt(bytes: AreaBytes, slot: number): number {
  return bytes.blockAt(slot) + bellOffset(bytes);
}

export type ChannelWords = ReturnType<typeof channelWords>;

/** The channel of a name in an area. */
export function channelWords(area: Area, name: string) {
  const bytes = bytesOf(area);
  const entry = entryOf(bytes, 'channel', name);
  const fields = new Map<string, Field>(Object.entries(CHANNEL));
  const load = (field: Field): number => Atomics.load(bytes.u32, (entry.at + field.offset) >>> 2);
  const [cells, cellBytes] = [load(CHANNEL.cells), load(CHANNEL.cell_bytes)];
  const free: [number, number][] = [[CHANNEL_NAMES_OFFSET, CHANNEL_CELLS_OFFSET]];
  for (let k = 0; k < cells; k++) {
    const start = CHANNEL_CELLS_OFFSET + k * cellBytes;
    for (const [word, field] of Object.entries(CELL)) {
      fields.set(`cell${k}.${word}`, { ...field, offset: start + field.offset });
    }
    free.push([start + CELL_DATA_OFFSET, start + cellBytes]);
  }
  const words = objectWords(area, entry.at, entry.size, fields, free);
  const dataAt = (k: number): number => entry.at + CHANNEL_CELLS_OFFSET + k * cellBytes + CELL_DATA_OFFSET;
  return {
    ...words,
    entry,
    cells,
    cellBytes,
    capacity: cellBytes - CELL_DATA_OFFSET,
    dataAt,
    phase: (k: number): Phase => phaseOf(words.word(`cell${k}.state`)),
    ticket: (k: number): number => ticketOf(words.word(`cell${k}.state`)),
    /** The words of a cell alone that are not 0. */
    cell(k: number): Record<string, number | bigint> {
      const own = Object.entries(words.words()).filter(([word]) => word.startsWith(`cell${k}.`));
      return Object.fromEntries(own.map(([word, value]) => [word.slice(word.indexOf('.') + 1), value]));
    },
    /** The bytes of the part that lies in a cell. */
    part: (k: number): number[] => [
      ...bytes.u8.slice(dataAt(k), dataAt(k) + Math.min(words.word(`cell${k}.length`), cellBytes)),
    ],
    names(): string[] {
      const start = entry.at + CHANNEL_NAMES_OFFSET;
      const text = new TextDecoder().decode(bytes.u8.slice(start, start + words.word('names_length')));
      return text === '' ? [] : text.split('\0');
    },
    /** Another thread at this channel, of this identity and slot; who it takes for dead is asked of /proc, here anew. */
    raw(self: bigint, slot: number, isDead: (identity: bigint) => boolean = deadInProc): RawChannel {
      return rawChannel({
        abi,
        i32: words.i32,
        i64: bytes.i64,
        u8: new Uint8Array(area.buffer),
        at: entry.at,
        self,
        slot,
        isDead,
        bellAt: (of) => bellAt(bytes, of),
      });
    },
  };
}

/** Clause 17, of identities that are not random. */
export const deadInProc = (identity: bigint): boolean => (identity & (1n << 61n)) === 0n && !livesInProc(identity);

/** The bytes of numbers, as encoding 1 has them. */
export function numbers(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer);
}
export const asNumbers = (bytes: Uint8Array | readonly number[]): number[] => [
  ...new Float64Array(Uint8Array.from(bytes).buffer),
];
/** The encoding of so many numbers. */
export const numbersEncoding = (count: number): number => abi.ENCODINGS.numbers | (count << abi.COUNT_SHIFT);
