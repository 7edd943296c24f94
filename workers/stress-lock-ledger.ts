// What the threads of a lock's stress run write down about themselves, in shared memory, so that the dead can be asked too: one row
// for each thread that ever was, the cells that the lock protects, and the violations that were found.

/** One row per thread, in 32-bit words. Written by its thread, but where it says otherwise. */
export const ROW = {
  /** A STATE. */
  state: 0,
  operations: 1,
  /** Increments of the protected counter that are done. */
  added: 2,
  /** 1 while one is under way: after a death nobody can say whether it took place. */
  adding: 3,
  /** How often this thread was told that an owner had died. */
  told: 4,
  /** Written by the supervisor: how the thread is to die, an index into DEATHS, + 1. */
  command: 5,
  /** Written by whoever took a lock over from this dead thread, + 1 for each: the number of times. */
  tookOver: 6,
  /** Written with it: when that was, in ms since the ledger was made. */
  tookOverAt: 7,
  /** Written by the supervisor: 1 once the thread has ended. */
  ended: 8,
  /** 1 once the thread's last statement is near: how long its end takes is the runtime's affair. */
  leaving: 9,
  /** Waits that were given up. */
  givenUp: 10,
} as const;
export type RowField = keyof typeof ROW;
const ROW_WORDS = 16;

/** How a thread stands to the lock that excludes. */
export const STATE = {
  outside: 0,
  /** It may have it already. */
  taking: 1,
  /** It holds it, and the owner cell says so. */
  inside: 2,
  /** It may have it still. */
  leaving: 3,
} as const;

export const RULES = [
  'two inside',
  'a change seen while reading',
  'told without a death',
  'death not told',
  'death told twice',
  'counter not exact',
  'initialised twice',
  'not initialised',
  'more inside than permits',
  'permits lost',
  'queue not exact',
  'phase not complete',
  'unexpected failure',
  'no progress',
  'thread does not end',
] as const;
export type Rule = (typeof RULES)[number];

export interface Violation {
  readonly rule: Rule;
  /** Number of the thread that saw it; 0 is the supervisor. */
  readonly seenBy: number;
  readonly expected: number;
  readonly found: number;
}

/** Words at the beginning. Plain accesses for `counter` and the queue, which the lock protects. */
const CONTROL = {
  stop: 0,
  violations: 1,
  owner: 32,
  counter: 64,
  /** Items in the queue, ever put in, ever taken out. */
  items: 65,
  put: 66,
  taken: 67,
  /** Threads that hold a permit, and how many more there may be because of the dead. */
  inside: 96,
  slack: 97,
} as const;
const CONTROL_WORDS = 128;
const RECORD_WORDS = 8;
const RECORDS = 64;

export interface LockLedgerShape {
  readonly buffer: SharedArrayBuffer;
  readonly rows: number;
  /** performance.timeOrigin + now() at its making, the same clock in all threads. */
  readonly begun: number;
}

export interface LockLedger {
  readonly shape: LockLedgerShape;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly control: typeof CONTROL;
  get(thread: number, field: RowField): number;
  set(thread: number, field: RowField, value: number): void;
  bump(thread: number, field: RowField): void;
  /** Marks that a lock was taken over from this thread; false where that had been done before. */
  takeOver(thread: number): boolean;
  /** ms since the ledger was made. */
  now(): number;
  stopped(): boolean;
  violate(rule: Rule, seenBy: number, expected: number, found: number): void;
  /** The violations from the n-th on. */
  violations(from: number): Violation[];
  violationCount(): number;
}

export function createLockLedger(rows: number): LockLedger {
  const words = CONTROL_WORDS + RECORDS * RECORD_WORDS + rows * ROW_WORDS;
  const begun = performance.timeOrigin + performance.now();
  return openLockLedger({ buffer: new SharedArrayBuffer(4 * words), rows, begun });
}

export function openLockLedger(shape: LockLedgerShape): LockLedger {
  const i32 = new Int32Array(shape.buffer);
  const recordsAt = CONTROL_WORDS;
  const rowsAt = recordsAt + RECORDS * RECORD_WORDS;
  const wordAt = (thread: number, field: RowField): number => rowsAt + thread * ROW_WORDS + ROW[field];
  const get = (thread: number, field: RowField): number => Atomics.load(i32, wordAt(thread, field));
  const set = (thread: number, field: RowField, value: number): void => {
    Atomics.store(i32, wordAt(thread, field), value);
  };
  const now = (): number => Math.round(performance.timeOrigin + performance.now() - shape.begun);
  return {
    shape,
    i32,
    control: CONTROL,
    get,
    set,
    bump: (thread, field) => set(thread, field, get(thread, field) + 1),
    takeOver(thread) {
      set(thread, 'tookOverAt', now());
      return Atomics.add(i32, wordAt(thread, 'tookOver'), 1) === 0;
    },
    now,
    stopped: () => Atomics.load(i32, CONTROL.stop) !== 0,
    violate(rule, seenBy, expected, found) {
      const n = Atomics.add(i32, CONTROL.violations, 1);
      if (n >= RECORDS) return;
      const at = recordsAt + n * RECORD_WORDS;
      [RULES.indexOf(rule), seenBy, expected | 0, found | 0].forEach((word, k) => {
        Atomics.store(i32, at + 1 + k, word);
      });
      Atomics.store(i32, at, 1);
    },
    violations(from) {
      const found: Violation[] = [];
      for (let n = from; n < Math.min(Atomics.load(i32, CONTROL.violations), RECORDS); n++) {
        const at = recordsAt + n * RECORD_WORDS;
        // Not yet written whole, and perhaps never: its thread may have died here.
        if (Atomics.load(i32, at) === 0) break;
        const [rule, seenBy, expected, value] = [1, 2, 3, 4].map((k) => Atomics.load(i32, at + k));
        found.push({ rule: RULES[rule!]!, seenBy: seenBy!, expected: expected!, found: value! });
      }
      return found;
    },
    violationCount: () => Atomics.load(i32, CONTROL.violations),
  };
}
