// What the threads of a ring's stress run write down in shared memory, so that the dead can be asked too: a row for each writer that
// ever was, in doubles that only it writes, and a log for each drainer's seat, which the supervisor reads while it is written.

import type { Entry } from './stress-ring-records.js';

/** One row per writer, in doubles. */
export const ROW = {
  /** Records offered: counted before write() is called. */
  attempts: 0,
  /** Behind it: by what it returned. */
  stored: 1,
  dropped: 2,
  /** 1: it overwrites. */
  overwrites: 3,
  /** 1 once its last statement is near. */
  leaving: 4,
} as const;
type RowField = keyof typeof ROW;
const ROW_DOUBLES = 8;

/** Words at the beginning, each in a cache line of its own. */
const CONTROL = { stopWriters: 0, stopDrainers: 16 } as const;
const CONTROL_WORDS = 32;
/** Per thread that ever was: how it is to die, an index into DEATHS, + 1. */
const FIELDS = ['writer', 'slot', 'generation', 'first', 'last', 'count', 'base', 'wrong'] as const;
const ENTRIES = 1 << 14;
/** A log: words put in and taken out, then the entries. */
const LOG_HEAD = 16;
const LOG_BYTES = LOG_HEAD * 8 + ENTRIES * FIELDS.length * 8;

export interface RingLedgerShape {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
  readonly seats: number;
}

export type RingLedger = ReturnType<typeof openRingLedger>;

export function createRingLedger(threads: number, seats: number): RingLedger {
  const bytes = (CONTROL_WORDS + threads) * 4 + threads * ROW_DOUBLES * 8 + seats * LOG_BYTES;
  return openRingLedger({ buffer: new SharedArrayBuffer(Math.ceil(bytes / 64) * 64), threads, seats });
}

export function openRingLedger(shape: RingLedgerShape) {
  const { buffer, threads, seats } = shape;
  const i32 = new Int32Array(buffer);
  const f64 = new Float64Array(buffer, 0, buffer.byteLength >>> 3);
  const logsAt = 0;
  const rowsAt = (seats * LOG_BYTES) / 8;
  const controlAt = (rowsAt + threads * ROW_DOUBLES) * 2;
  const rowAt = (writer: number, field: RowField): number => rowsAt + writer * ROW_DOUBLES + ROW[field];
  const logAt = (seat: number): number => logsAt + (seat * LOG_BYTES) / 8;
  const stop = (control: keyof typeof CONTROL): void => {
    Atomics.store(i32, controlAt + CONTROL[control], 1);
    Atomics.notify(i32, controlAt + CONTROL[control]);
  };
  return {
    shape,
    get: (writer: number, field: RowField): number => f64[rowAt(writer, field)] as number,
    set(writer: number, field: RowField, value: number): void {
      f64[rowAt(writer, field)] = value;
    },
    command: (thread: number): number => Atomics.load(i32, controlAt + CONTROL_WORDS + thread),
    order(thread: number, death: number): void {
      Atomics.store(i32, controlAt + CONTROL_WORDS + thread, death);
    },
    stop,
    stopped: (control: keyof typeof CONTROL): boolean => Atomics.load(i32, controlAt + CONTROL[control]) !== 0,
    /** Blocks for so many ms, or until it is told to stop. */
    rest(control: keyof typeof CONTROL, ms: number): void {
      Atomics.wait(i32, controlAt + CONTROL[control], 0, ms);
    },
    /** False where the log is full. */
    log(seat: number, entry: Entry): boolean {
      const at = logAt(seat);
      const put = Atomics.load(i32, at * 2);
      if (((put - Atomics.load(i32, at * 2 + 16)) | 0) >= ENTRIES) return false;
      const start = at + LOG_HEAD + (put & (ENTRIES - 1)) * FIELDS.length;
      for (const [k, field] of FIELDS.entries()) f64[start + k] = entry[field];
      Atomics.store(i32, at * 2, (put + 1) | 0);
      return true;
    },
    /** What was logged since the last time. */
    read(seat: number, each: (entry: Entry) => void): void {
      const at = logAt(seat);
      const put = Atomics.load(i32, at * 2);
      for (let taken = Atomics.load(i32, at * 2 + 16); taken !== put; taken = (taken + 1) | 0) {
        const start = at + LOG_HEAD + (taken & (ENTRIES - 1)) * FIELDS.length;
        each(Object.fromEntries(FIELDS.map((field, k) => [field, f64[start + k]])) as unknown as Entry);
        Atomics.store(i32, at * 2 + 16, (taken + 1) | 0);
      }
    },
  };
}
