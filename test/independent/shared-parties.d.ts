// Types of shared-parties.js.

export type SharedParty = 'a' | 'b' | 'independent';

export interface SharedPlace {
  readonly urls: { readonly a: string; readonly b: string };
  readonly memory: WebAssembly.Memory;
  readonly permits?: number;
  readonly parties?: number;
}

interface Limits {
  timeout?: number;
}

interface SharedGuard {
  readonly mode: 'read' | 'write';
  readonly ownerDied: boolean;
  readonly readersDied: number;
  markConsistent(): void;
  unlock(): void;
}

interface SharedPermits {
  readonly ownerDied: boolean;
  release(): void;
  forget(): void;
}

export interface SharedLocks {
  rwlock: { read(options?: Limits): SharedGuard; write(options?: Limits): SharedGuard };
  once: { call(initialise: (state: { readonly ownerDied: boolean }) => void, options?: { force?: boolean }): boolean };
  semaphore: { acquire(n?: number, options?: Limits): SharedPermits; release(n?: number): void; available(): number };
  barrier: { wait(options?: Limits): boolean; waitAsync(options?: Limits): Promise<boolean>; leave(): void };
}

export const SHARED: {
  readonly once: number;
  readonly rwlock: number;
  readonly semaphore: number;
  readonly barrier: number;
  readonly words: number;
};
export const HOLDERS: number;
export function sharedOf(party: SharedParty, place: SharedPlace): Promise<SharedLocks>;
export function useAll(
  party: SharedParty,
  place: SharedPlace,
  times: number,
): Promise<{ torn: number; writes: number; most: number; ran: number; last: number }>;
