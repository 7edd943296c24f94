// Types of per-cpu-parties.js, as far as the tests use them.

import type { IndependentOps } from './per-cpu.js';

export type PartyName = 'library' | 'independent';

export interface PartyPlace {
  readonly urls: { readonly library: string; readonly perCpu: string; readonly pool: string };
  readonly memory: unknown;
  readonly index: 'cpu' | 'slot';
}

export interface Party {
  readonly ops: IndependentOps;
  readonly words: { at(shard: number): number; start(): number; dispose(): void };
  readonly list: { push(node: number): void; pop(): number; nodes(shard: number): Generator<number> };
  readonly buffer: { push(entry: number): boolean; pop(): number | undefined; entries(shard: number): number[] };
  readonly pool: {
    readonly stride: number;
    alloc(init?: Uint8Array): number;
    free(item: number): void;
    freeDead(): number;
    allocated(): { item: number; owner: bigint }[];
    check?(): void;
  };
  fence(options?: { timeout?: number }): void;
}

export interface Seen {
  readonly nodes: number;
  readonly entries: number;
  readonly items: number;
}

export function partyOf(party: PartyName, place: PartyPlace): Promise<Party>;
export function useAll(party: Party, buffer: SharedArrayBuffer, times: number): Seen;
