// Types of parties.js.

export type MutexParty = 'a' | 'b' | 'independent' | 'wat';

export interface PartyPlace {
  readonly urls: { readonly a: string; readonly b: string };
  readonly bytes: Uint8Array;
  readonly memory: WebAssembly.Memory;
  readonly at: number;
}

export interface PartyGuard {
  readonly ownerDied: boolean;
  markConsistent(): void;
  unlock(): void;
}

export interface PartyMutex {
  lock(): PartyGuard;
  tryLock(): PartyGuard | undefined;
  unlock(): void;
}

export const PARTIES: readonly MutexParty[];
export function mutexOf(party: MutexParty, place: PartyPlace): Promise<PartyMutex>;
export function addUnder(party: MutexParty, place: PartyPlace, counterAt: number, times: number): Promise<void>;
export function addUnderAsync(party: MutexParty, place: PartyPlace, counterAt: number, times: number): Promise<void>;
