// A channel's bytes by name, as docs/ABI.md, clauses 62 and 64 lay them out: tests plant what a death leaves behind. Uses the tables of
// coexist/abi and nothing else of the library.

import type { Area } from 'coexist';
import { CELL, CHANNEL, CHANNEL_CELLS_OFFSET } from 'coexist/abi';
import { bytesOf } from './area-bytes.js';

/** The channel of this name in an area. */
export function channelBytes(area: Area, name: string) {
  const bytes = bytesOf(area);
  const capacity = bytes.header('directory_capacity');
  let entry = 0;
  while (entry < capacity && bytes.entryName(entry) !== name) entry++;
  if (entry === capacity) throw new Error(`no entry ${name}`);
  const at = bytes.entry(entry, 'offset');
  const { u32, i64 } = bytes;
  const word = (field: keyof typeof CHANNEL): number => Atomics.load(u32, (at + CHANNEL[field].offset) >>> 2);
  const cellAt = (k: number): number => at + CHANNEL_CELLS_OFFSET + k * word('cell_bytes');
  return {
    at,
    word,
    setWord: (field: keyof typeof CHANNEL, value: number): number =>
      Atomics.store(u32, (at + CHANNEL[field].offset) >>> 2, value),
    server: (): bigint => Atomics.load(i64, (at + CHANNEL.server.offset) >>> 3),
    setServer: (identity: bigint): bigint => Atomics.store(i64, (at + CHANNEL.server.offset) >>> 3, identity),
    cell: (k: number, field: Exclude<keyof typeof CELL, 'caller'>): number =>
      Atomics.load(u32, (cellAt(k) + CELL[field].offset) >>> 2),
    setCell: (k: number, field: Exclude<keyof typeof CELL, 'caller'>, value: number): number =>
      Atomics.store(u32, (cellAt(k) + CELL[field].offset) >>> 2, value),
    caller: (k: number): bigint => Atomics.load(i64, (cellAt(k) + CELL.caller.offset) >>> 3),
    setCaller: (k: number, identity: bigint): bigint =>
      Atomics.store(i64, (cellAt(k) + CELL.caller.offset) >>> 3, identity),
  };
}
