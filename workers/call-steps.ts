// The operations on channels that call-stepper.ts cuts: what was there before, what another thread does while this one sleeps, and what a thread that
// was cut must still be able to do. Others are played by hand, in the words of docs/ABI.md.

import type * as core from '../src/core.js';
import type { RawChannel } from './raw-call.js';

export const NAME = 'calc';
export const CELLS = { cells: 2, cellBytes: 192 } as const;
/** Virtual ms within which whoever is not stopped gets on. */
export const LATE_MS = 200;

export interface Stage {
  readonly lib: typeof core;
  readonly area: core.Area;
  readonly dead: bigint;
  /** Identity of a thread that is not proven dead. */
  readonly other: bigint;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  entryOf(kind: core.KindName): { readonly at: number; readonly number: number };
  /** Another thread at the channel. */
  raw(self: bigint): RawChannel;
}

export interface Run {
  run(): unknown;
  /** What another thread does at each sleep; true where that wakes this one. */
  readonly asleep?: (() => boolean) | undefined;
  /** In the thread that was cut: what it can still do; says what went wrong. */
  goOn(): string[];
}

export type Play = (stage: Stage) => Run;
type Twice = { twice(n: number): number };

const twice = (n: number): number => 2 * n;
const numbers = (lib: typeof core, ...values: number[]) => ({
  encoding: lib.ENCODINGS.numbers | (values.length << lib.COUNT_SHIFT),
  bytes: new Uint8Array(Float64Array.from(values).buffer),
});

const codeOf = (error: unknown): string => String((error as core.CoexistError).code ?? error);
/** The code of what is thrown, '' if nothing is. */
export function codeFrom(step: () => unknown): string {
  try {
    step();
    return '';
  } catch (error) {
    return codeOf(error);
  }
}
export const unless = (code: string, ...fine: string[]): string[] => (fine.includes(code) ? [] : [`it threw ${code}`]);

// Calls: this thread calls, another one serves.

function calling(stage: Stage, { serve = true, timeout }: { serve?: boolean; timeout?: number } = {}): Run {
  const { lib, area, other } = stage;
  const options = { area, ...CELLS };
  const client = lib.connect<Twice>(NAME, options);
  const raw = stage.raw(other);
  raw.open(['twice']);
  const asleep = (): boolean =>
    raw.serve(({ bytes }) => numbers(lib, 2 * (new Float64Array(Uint8Array.from(bytes).buffer)[0] as number))) > 0;
  return {
    run: () => client.with({ timeout: timeout ?? 10_000 }).callSync('twice', 21),
    ...(serve && { asleep }),
    goOn() {
      if (!serve) return [];
      const result = lib.connect<Twice>(NAME, options).with({ timeout: LATE_MS }).callSync('twice', 5);
      return result === 10 ? [] : [`the next call was answered by ${result}`];
    },
  };
}

function inCells(stage: Stage, caller: bigint, phase: number, epoch: number): void {
  const { lib, i32, i64 } = stage;
  for (let k = 0; k < CELLS.cells; k++) {
    const cell = stage.entryOf('channel').at + lib.CHANNEL_CELLS_OFFSET + k * CELLS.cellBytes;
    i64[(cell + lib.CELL.caller.offset) >>> 3] = caller;
    i32[(cell + lib.CELL.state.offset) >>> 2] = (7 << lib.TICKET_SHIFT) | phase;
    i32[(cell + lib.CELL.epoch.offset) >>> 2] = epoch;
  }
}

function serving(stage: Stage, prepare: (server: core.Server, raw: RawChannel) => () => unknown): Run {
  const { lib, area } = stage;
  const server = lib.serve(NAME, { twice }, { area, ...CELLS });
  const raw = stage.raw(stage.other);
  return { run: prepare(server, raw), goOn: () => unless(openAgain(stage), '', 'COEXIST_EEXIST') };
}

function openAgain({ lib, area }: Stage): string {
  return codeFrom(() => lib.serve(NAME, { twice }, { area, ...CELLS }).close());
}

function opening(stage: Stage, before: () => void = () => {}): Run {
  const { lib, area, i32 } = stage;
  lib.connect(NAME, { area, ...CELLS }).close();
  before();
  const epoch = (stage.entryOf('channel').at + lib.CHANNEL.epoch.offset) >>> 2;
  return {
    run: () => lib.serve(NAME, { twice }, { area, ...CELLS }),
    // One that is open stays so until its thread ends; one that was being opened is not in the way.
    goOn: () => unless(openAgain(stage), '', (i32[epoch] as number) % 2 === 0 ? 'COEXIST_EEXIST' : ''),
  };
}

const request = (stage: Stage, raw: RawChannel): number => {
  const k = raw.claim() as number;
  raw.request(k, raw.get('epoch'), { method: 0, ...numbers(stage.lib, 4) });
  return k;
};

export const CALL_PLAYS = {
  call: (stage) => calling(stage),
  'call given up': (stage) => calling(stage, { serve: false, timeout: 60 }),
  'call given up while it runs': (stage) => {
    const run = calling(stage, { timeout: 60 });
    const raw = stage.raw(stage.other);
    const asleep = (): boolean => {
      raw.take(0);
      return false;
    };
    return { ...run, asleep, goOn: () => [] };
  },
  'call of a server that goes': (stage) => {
    const run = calling(stage);
    const raw = stage.raw(stage.other);
    const asleep = (): boolean => {
      raw.close();
      return true;
    };
    return { ...run, asleep, goOn: () => [] };
  },
  'call with dead callers in all cells': (stage) => {
    const run = calling(stage);
    inCells(stage, stage.dead, stage.lib.PHASE_REQUEST, stage.raw(stage.other).get('epoch'));
    return run;
  },
  open: (stage) => opening(stage),
  'open after a dead server': (stage) =>
    opening(stage, () => {
      stage.raw(stage.dead).open(['twice']);
      inCells(stage, stage.other, stage.lib.PHASE_TAKEN, 2);
    }),
  close: (stage) => serving(stage, (server) => () => server.close()),
  'close with requests': (stage) =>
    serving(stage, (server, raw) => {
      request(stage, raw);
      raw.take(request(stage, raw));
      return () => server.close();
    }),
  'serve a request': (stage) =>
    serving(stage, (server, raw) => {
      request(stage, raw);
      return () => server.run({ timeout: 0 });
    }),
  'serve a call that is given up': (stage) => {
    let k = 0;
    const { lib, area } = stage;
    const raw = (): RawChannel => stage.raw(stage.other);
    const giveUp = (n: number): number => {
      raw().giveUp(k);
      return n;
    };
    const server = lib.serve(NAME, { twice: giveUp }, { area, ...CELLS });
    k = request(stage, raw());
    return { run: () => server.run({ timeout: 0 }), goOn: () => unless(openAgain(stage), '', 'COEXIST_EEXIST') };
  },
} satisfies Record<string, Play>;

/** What an operation throws by itself. */
export const THROWS: Readonly<Record<string, string>> = {
  'call given up': 'COEXIST_ETIMEDOUT',
  'call given up while it runs': 'COEXIST_ETIMEDOUT',
  'call of a server that goes': 'COEXIST_EGONE',
};
