// What a test's thread is given, and how it tries an operation: the caller's injection points lie around each attempt, and an attempt
// that was aborted, or came too late, is made again. Every loop ends when the controller says stop.

import type { Status } from '../src/percpu/operations.js';
import { BOARD, type Board, ROW } from './selftest-board.js';
import type { Ground, Library } from './selftest-ground.js';

/** One operation of a test. What it works with is set before it is tried. */
export interface Step {
  readonly name: string;
  /** Reads what the operation is given; false where there is nothing to operate on. */
  prepare(shard: number): boolean;
  run(shard: number): Status;
  /** Whether a word that is not as expected means that there is nothing to operate on. */
  readonly mayBeEmpty: boolean;
  /** Whether it is a critical section, which has injection points inside. */
  readonly section: boolean;
  /** Inside, before the commit: what tells later whether it was committed. Nobody else can commit the like there. */
  look(): unknown;
  committed(before: unknown): boolean;
  /** Writes into the thread's row that it is done. */
  commit(): void;
}

/** A test found the library wrong. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** The controller has stopped the run. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** What a test uses of the library; a planted fault puts something else in its place. */
export interface Api {
  readonly ops: Library['ops'];
  fence: Library['fence'];
}

export interface Turn {
  readonly library: Library;
  readonly api: Api;
  readonly ground: Ground;
  readonly board: Board;
  readonly row: Int32Array;
  readonly thread: number;
  readonly repetitions: number;
  readonly order: 'relaxed' | 'release';
  readonly index: 'cpu' | 'slot';
  readonly shuffles: boolean;
  readonly seed: number;
  /** The injection points; inside an operation the library calls it. */
  at(point: number): void;
  /** Which step the points belong to from now on. */
  enter(step: Step, number: number): void;
}

const TRIES_BEFORE_PAUSE = 64;
/** A pause gives the CPU away: whoever is in the way may need it. */
const PAUSE_MS = 0.05;

/** Tries until it is done; false where there is nothing to operate on. */
export function attempt(turn: Turn, steps: readonly Step[], number: number): boolean {
  const { row, ground, library } = turn;
  const { perCpu } = ground;
  const step = steps[number] as Step;
  const { ABORTED, COMPARE_FAILED, DONE } = library.ops;
  turn.enter(step, number);
  for (let tries = 1; ; tries++) {
    row[ROW.tries] = tries;
    turn.at(7);
    const shard = perCpu.start();
    row[ROW.shard] = shard;
    if (shard < 0 || shard >= perCpu.shards) throw new Violation(`start() is ${shard} of ${perCpu.shards} shards`);
    if (!step.prepare(shard)) return false;
    turn.at(8);
    const status = step.run(shard);
    if (status === DONE) step.commit();
    turn.at(9);
    if (status === DONE) return true;
    if (status === COMPARE_FAILED && step.mayBeEmpty) return false;
    if (status !== ABORTED && status !== COMPARE_FAILED) throw new Violation(`${step.name} returned ${status}`);
    row[ROW.aborted]!++;
    if (tries % TRIES_BEFORE_PAUSE === 0) pause(turn);
  }
}

/** Repetitions that this thread, or one it follows, has not done yet. */
export function goesOn(turn: Turn): boolean {
  const done = turn.row[ROW.done] as number;
  if ((done & 63) === 0) checkStop(turn);
  return done < turn.repetitions;
}

/** The thread of every test that takes something out (step 0) and puts it back (step 1). */
export function takeAndPut(turn: Turn, steps: readonly Step[]): void {
  const { row } = turn;
  while (goesOn(turn)) {
    // What a thread had in hand when it died is left to its successor.
    if (row[ROW.hand] === 0 && !attempt(turn, steps, 0)) {
      row[ROW.done]!++;
      continue;
    }
    if (turn.shuffles) yieldNow(turn);
    attempt(turn, steps, 1);
  }
}

export function pause(turn: Turn): void {
  checkStop(turn);
  Atomics.wait(turn.board.words, BOARD.still, 0, PAUSE_MS);
}

/** As near to sched_yield as JavaScript comes. */
export function yieldNow(turn: Turn): void {
  Atomics.wait(turn.board.words, BOARD.still, 0, 0);
}

/** @throws Stopped */
export function checkStop({ board }: Turn): void {
  if (Atomics.load(board.words, BOARD.stop) !== 0) throw new Stopped('the run was stopped');
}
