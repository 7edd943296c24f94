// What the threads of a selftest run and their controller share beside the area: a few words for all, and a row for each thread.
// A row outlives the thread that wrote it: the successor of a killed thread goes on from there, and the watchdog reads from it
// where a thread is. Only the thread of a row writes it, with ordinary stores; it is read while that thread stands still.

/** Words for all. */
export const BOARD = {
  /** 1: threads may begin. Waited on. */
  start: 0,
  /** 1: the run is over, whatever its threads are doing. */
  stop: 1,
  /** Threads that wait for the start. */
  ready: 2,
  /** Threads that have done all their repetitions. */
  finished: 3,
  /** Changes of side by the manager of the membarrier test. */
  flips: 4,
  /** Stays 0; what sleeps wait on. */
  still: 5,
} as const;

/** Words of a row. */
export const ROW = {
  state: 0,
  /** Index of the step in its mode, and the injection point, where the thread was killed. */
  step: 1,
  point: 2,
  /** Repetitions that are complete. */
  done: 3,
  /** What the thread has in hand: 0 nothing; otherwise what the mode says. */
  hand: 4,
  shard: 5,
  /** Deaths on this row. */
  deaths: 6,
  /** Attempts at the step it is at. */
  tries: 7,
  /** Attempts that were aborted, in all. */
  aborted: 8,
} as const;

export const STATES = ['not begun', 'ready', 'running', 'at its gate', 'finished'] as const;
export const READY = 1;
export const RUNNING = 2;
export const AT_GATE = 3;
export const FINISHED = 4;

const HEAD_WORDS = 16;
const ROW_WORDS = 16;

export interface Board {
  readonly words: Int32Array<SharedArrayBuffer>;
  row(thread: number): Int32Array<SharedArrayBuffer>;
}

export function createBoard(rows: number): Board {
  return boardOn(new SharedArrayBuffer(4 * (HEAD_WORDS + rows * ROW_WORDS)));
}

export function boardOn(buffer: SharedArrayBuffer): Board {
  const words = new Int32Array(buffer);
  return {
    words,
    row: (thread) => words.subarray(HEAD_WORDS + thread * ROW_WORDS, HEAD_WORDS + (thread + 1) * ROW_WORDS),
  };
}
