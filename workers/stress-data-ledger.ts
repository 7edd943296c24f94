// What the threads of a stress run on per-CPU data write down in shared memory, so that the dead can be asked too: a row of words and one
// of doubles for each thread that ever was, and what they found wrong, in words. An account says what was done to one of the things under
// stress; an operation is opened before it and closed behind it, so that of a dead thread at most one is in doubt.

/** Per thread, in 32-bit words; written by it, but `command` by the supervisor. */
export const WORD = {
  /** How it is to die, an index into DEATHS, + 1. */
  command: 0,
  /** 1 before its first operation. */
  begun: 1,
  /** The pause in which it keeps still. */
  parked: 2,
  /** 1 behind its last operation. */
  leaving: 3,
  /** The account of the operation under way, + 1. */
  open: 4,
  /** Of what takes things out and puts them in: a STEP, and what it has in hand. */
  step: 5,
  hand: 6,
} as const;
type Word = keyof typeof WORD;
const ROW_WORDS = 16;

export const STEP = { none: 0, takes: 1, gives: 2 } as const;

/** Per thread, in doubles: accounts, then these, then what it keeps. */
const ACCOUNTS = 24;
const NUMBER = { amount: 24, operations: 25, shown: 26 } as const;
type NumberName = keyof typeof NUMBER;
const KEPT_AT = 32;
export const MOST_KEPT = 8;
const ROW_DOUBLES = KEPT_AT + MOST_KEPT;

/** Words at the beginning, each in a cache line of its own. */
const CONTROL = { stop: 0, pause: 16, complaints: 32 } as const;
const CONTROL_WORDS = 48;
const COMPLAINTS = 32;
/** Words that a topic shares out as it likes. */
export const FREE_WORDS = 2 ** 21;
/** A word that says how long it is, then its bytes. */
const COMPLAINT_BYTES = 512;

export interface DataLedgerShape {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
}

export type DataLedger = ReturnType<typeof openDataLedger>;

export function createDataLedger(threads: number): DataLedger {
  const bytes =
    threads * (ROW_DOUBLES * 8 + ROW_WORDS * 4) + CONTROL_WORDS * 4 + COMPLAINTS * COMPLAINT_BYTES + FREE_WORDS * 4;
  return openDataLedger({ buffer: new SharedArrayBuffer(bytes), threads });
}

export function openDataLedger(shape: DataLedgerShape) {
  const { buffer, threads } = shape;
  const f64 = new Float64Array(buffer, 0, threads * ROW_DOUBLES);
  const i32 = new Int32Array(buffer, f64.byteLength);
  const controlAt = threads * ROW_WORDS;
  const complaintsAt = (controlAt + CONTROL_WORDS) * 4;
  const free = new Int32Array(buffer, f64.byteLength + complaintsAt + COMPLAINTS * COMPLAINT_BYTES, FREE_WORDS);
  const u8 = new Uint8Array(buffer, f64.byteLength);
  const wordAt = (thread: number, word: Word): number => thread * ROW_WORDS + WORD[word];
  const doubleAt = (thread: number, k: number): number => thread * ROW_DOUBLES + k;
  const set = (thread: number, word: Word, value: number): void => {
    Atomics.store(i32, wordAt(thread, word), value);
  };
  const control = (word: keyof typeof CONTROL): number => controlAt + CONTROL[word];

  return {
    shape,
    free,
    get: (thread: number, word: Word): number => Atomics.load(i32, wordAt(thread, word)),
    set,
    number: (thread: number, name: NumberName): number => f64[doubleAt(thread, NUMBER[name])] as number,
    setNumber(thread: number, name: NumberName, value: number): void {
      f64[doubleAt(thread, NUMBER[name])] = value;
    },

    open(thread: number, account: number, amount: number): void {
      f64[doubleAt(thread, NUMBER.amount)] = amount;
      set(thread, 'open', account + 1);
    },
    close(thread: number): void {
      const account = Atomics.load(i32, wordAt(thread, 'open')) - 1;
      f64[doubleAt(thread, account)]! += f64[doubleAt(thread, NUMBER.amount)] as number;
      set(thread, 'open', 0);
    },
    /** What an account says of a thread: how much is done, and how much may be or not. */
    account(thread: number, account: number): { done: number; open: number } {
      const inDoubt = Atomics.load(i32, wordAt(thread, 'open')) === account + 1;
      const done = f64[doubleAt(thread, account)] as number;
      return { done, open: inDoubt ? (f64[doubleAt(thread, NUMBER.amount)] as number) : 0 };
    },
    accounts: ACCOUNTS,

    /** What a thread keeps, 0 where a place is free. */
    kept: (thread: number, k: number): number => f64[doubleAt(thread, KEPT_AT + k)] as number,
    keep(thread: number, k: number, what: number): void {
      f64[doubleAt(thread, KEPT_AT + k)] = what;
    },

    stop(): void {
      Atomics.store(i32, control('stop'), 1);
      Atomics.notify(i32, control('stop'));
    },
    stopped: (): boolean => Atomics.load(i32, control('stop')) !== 0,
    /** The pause that is on, 0 if none. */
    pause: (): number => Atomics.load(i32, control('pause')),
    setPause(pause: number): void {
      Atomics.store(i32, control('pause'), pause);
      Atomics.notify(i32, control('pause'));
    },
    /** Blocks for so many ms, or until this pause is over. */
    waitOut(pause: number, ms: number): void {
      Atomics.wait(i32, control('pause'), pause, ms);
    },
    /** Blocks for so many ms, or until it is told to stop. */
    rest(ms: number): void {
      Atomics.wait(i32, control('stop'), 0, ms);
    },

    complain(text: string): void {
      const n = Atomics.add(i32, control('complaints'), 1);
      if (n >= COMPLAINTS) return;
      const at = complaintsAt + n * COMPLAINT_BYTES;
      const bytes = Buffer.from(text).subarray(0, COMPLAINT_BYTES - 4);
      u8.set(bytes, at + 4);
      Atomics.store(i32, at / 4, bytes.length);
    },
    /** The complaints from the n-th on. */
    complaints(from: number): string[] {
      const found: string[] = [];
      for (let n = from; n < Math.min(Atomics.load(i32, control('complaints')), COMPLAINTS); n++) {
        const at = complaintsAt + n * COMPLAINT_BYTES;
        const length = Atomics.load(i32, at / 4);
        // Not yet written whole, and perhaps never: its thread may have died here.
        if (length === 0) break;
        found.push(Buffer.from(u8.subarray(at + 4, at + 4 + length)).toString());
      }
      return found;
    },
  };
}
