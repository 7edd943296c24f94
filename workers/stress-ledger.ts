// What stress threads write down about themselves, in shared memory of their own, so that the dead can be asked too:
// marks (who holds which slot), one row per thread (what it believes to hold), and the violations that were found.

/** One row per thread, in 32-bit words. Written by its thread, but where it says otherwise. */
export const ROW = {
  /** Odd while an operation is under way: the rest of the row and the slot may then disagree. */
  sequence: 0,
  /** The slot held, + 1; 0 for none. */
  slot: 1,
  generation: 2,
  /** What the slot's refcount must be; at most `slack` more after vm timeouts. */
  expected: 3,
  slack: 4,
  identityLow: 5,
  identityHigh: 6,
  operations: 7,
  registrations: 8,
  /** Total of the adds to counters that are done. */
  added: 9,
  /** The add under way: after a death nobody can say whether it took place. */
  adding: 10,
  /** How often the table was full. */
  full: 11,
  /** vm timeouts. */
  cuts: 12,
  /** Written by the supervisor: how the thread is to die, an index into DEATHS, + 1. */
  command: 13,
  /** Written by whoever came to hold this thread's slot while its mark was there: this thread's number. */
  replaced: 14,
  /** 1 once the thread's last statement is near: how long its end takes is the runtime's affair. */
  leaving: 15,
} as const;
export type RowField = keyof typeof ROW;
const ROW_WORDS = 16;

/** Ways to die that the thread itself carries out. */
export const DEATHS = ['exit', 'throw', 'reject', 'return', 'oom'] as const;
export type Death = (typeof DEATHS)[number];
/** Message of the errors that are thrown on purpose, and the code of exits on purpose. */
export const ON_PURPOSE = 'stress: dying on purpose';
export const EXIT_CODE = 77;

export const RULES = [
  'two owners of one slot',
  'live owner reclaimed',
  'count lost',
  'generation changed while registered',
  'one thread owns two slots',
  'slot changed hands without a new generation',
  'slot content wrong',
  'slot left behind',
  'slot in use above high water',
  'header wrong',
  'counter not exact',
  'registrations not exact',
  'unexpected success',
  'unexpected failure',
  'operation does not end',
  'thread does not end',
  'no progress',
] as const;
export type Rule = (typeof RULES)[number];

export interface Violation {
  readonly rule: Rule;
  /** Number of the thread that saw it; 0 is the watcher. */
  readonly seenBy: number;
  /** -1 where it concerns none. */
  readonly slot: number;
  readonly expected: number;
  readonly found: number;
  /** The slot's struct as it was, in 32-bit words. */
  readonly row: readonly number[];
}

const CONTROL = { stop: 0, heartbeat: 1, violations: 2, guardStop: 3 } as const;
const CONTROL_WORDS = 16;
export const SLOT_WORDS = 16;
const RECORD_WORDS = 8 + SLOT_WORDS;
const RECORDS = 64;

/** All it takes to open a ledger in another thread. */
export interface LedgerShape {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  readonly rows: number;
}

export interface Ledger {
  readonly shape: LedgerShape;
  readonly i32: Int32Array;
  /** Index of a control word. */
  readonly control: typeof CONTROL;
  /** Index of the mark of a slot: the number of the thread that holds it, 0 if none. */
  markAt(slot: number): number;
  get(thread: number, field: RowField): number;
  set(thread: number, field: RowField, value: number): void;
  bump(thread: number, field: RowField, by?: number): void;
  clear(thread: number): void;
  record(violation: Violation): void;
  /** The violations from the n-th on. */
  violations(from: number): Violation[];
  violationCount(): number;
}

export function createLedger(slots: number, rows: number): Ledger {
  const words = CONTROL_WORDS + slots + rows * ROW_WORDS + RECORDS * RECORD_WORDS;
  return openLedger({ buffer: new SharedArrayBuffer(words * 4), slots, rows });
}

export function openLedger(shape: LedgerShape): Ledger {
  const i32 = new Int32Array(shape.buffer);
  const rowsAt = CONTROL_WORDS + shape.slots;
  const recordsAt = rowsAt + shape.rows * ROW_WORDS;
  // A thread's number is never used again, its row is: number = n * rows + row.
  const wordAt = (thread: number, field: RowField): number => rowsAt + (thread % shape.rows) * ROW_WORDS + ROW[field];
  const get = (thread: number, field: RowField): number => Atomics.load(i32, wordAt(thread, field));
  const set = (thread: number, field: RowField, value: number): void => {
    Atomics.store(i32, wordAt(thread, field), value);
  };
  return {
    shape,
    i32,
    control: CONTROL,
    markAt: (slot) => CONTROL_WORDS + slot,
    get,
    set,
    bump: (thread, field, by = 1) => set(thread, field, get(thread, field) + by),
    clear(thread) {
      const start = wordAt(thread, 'sequence');
      for (let k = 0; k < ROW_WORDS; k++) Atomics.store(i32, start + k, 0);
    },
    record({ rule, seenBy, slot, expected, found, row }) {
      const n = Atomics.add(i32, CONTROL.violations, 1);
      if (n >= RECORDS) return;
      const at = recordsAt + n * RECORD_WORDS;
      const words = [RULES.indexOf(rule), seenBy, slot, expected | 0, found | 0, row.length];
      words.forEach((word, k) => {
        Atomics.store(i32, at + 1 + k, word);
      });
      row.slice(0, SLOT_WORDS).forEach((word, k) => {
        Atomics.store(i32, at + 8 + k, word);
      });
      Atomics.store(i32, at, 1);
      Atomics.notify(i32, CONTROL.violations);
    },
    violations(from) {
      const found: Violation[] = [];
      for (let n = from; n < Math.min(Atomics.load(i32, CONTROL.violations), RECORDS); n++) {
        const at = recordsAt + n * RECORD_WORDS;
        // Not yet written whole, and perhaps never: its thread may have died here.
        if (Atomics.load(i32, at) === 0) break;
        const word = (k: number): number => Atomics.load(i32, at + k);
        found.push({
          rule: RULES[word(1)]!,
          seenBy: word(2),
          slot: word(3),
          expected: word(4),
          found: word(5),
          row: Array.from({ length: word(6) }, (_, k) => word(8 + k)),
        });
      }
      return found;
    },
    violationCount: () => Atomics.load(i32, CONTROL.violations),
  };
}
