// What the bench of rings and the threads that read in it (ring-thread.ts) agree on.

export type Reader = 'ring' | 'peer' | 'messages';

export interface ReaderData {
  readonly reader: Reader;
  /** The peer's. */
  readonly storage: SharedArrayBuffer | undefined;
  readonly control: Int32Array;
}

export const CAPACITY = 4096;
/** Bytes of a record. */
export const RECORD = 64;
export const ANSWER_MS = 60_000;

/** Words: records read, and whether to stop; a cache line each. */
export const READ = 0;
export const STOP = 16;
export const WORDS = 32;
