// One run: makes an area, fills it, starts the threads, kills those that ask for it and lets others go on for them, and judges what is
// there at the end. A run has a deadline: when it passes, the watchdog says where each thread is, and terminates them all.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Core from '../src/core.js';
import { BOARD, type Board, createBoard, FINISHED, ROW, STATES } from './selftest-board.js';
import type { FaultName } from './selftest-faults.js';
import { createGround, openGround, type Shape, shapeOf } from './selftest-ground.js';
import type { Death } from './selftest-inject.js';
import { loadLibrary } from './selftest-library.js';
import { type Mode, modeOf } from './selftest-modes.js';
import type { Hand, Pool } from './selftest-pool.js';
import { INNER_POINTS, type ParamSet } from './selftest-set.js';
import type { Job, Report } from './selftest-thread.js';
import { createRandom } from './stress-random.js';

export interface RunResult {
  readonly set: ParamSet;
  readonly ok: boolean;
  readonly sum: number;
  readonly expected: number;
  /** Every invariant that did not hold. */
  readonly wrong: readonly string[];
  readonly deaths: number;
  readonly flips: number;
  readonly aborted: number;
  readonly ms: number;
}

/** What threads have to see that the run is over. */
const STOP_MS = 300;
/** Deaths are planned in this part of the repetitions, so that they come about. */
const DEATHS_WITHIN = 0.8;

/** Never rejects for what a thread or the library does. */
export async function runSet(
  set: ParamSet,
  pool: Pool,
  { deadlineMs, fault }: { readonly deadlineMs: number; readonly fault?: FaultName | undefined },
): Promise<RunResult> {
  const begun = performance.now();
  const mode = modeOf(set.mode);
  const library = await loadLibrary(set.build);
  const shape = shapeOf(library, set.mode, set.index, set.threads);
  const area = createGround(library, mode, set.mode, set.index, shape);
  const ground = openGround(library, area, mode, set.index, shape);
  mode.fill(ground);
  ground.perCpu.dispose();

  const members = set.threads + (mode.manage === undefined ? 0 : 1);
  const board = createBoard(members);
  const wrong: string[] = [];
  // Where wasm is off, everything runs on the twin.
  if (set.steps === 'wasm' && area.memory === undefined && process.env['COEXIST_NO_WASM'] !== '1') {
    wrong.push('the area is no wasm memory');
  }
  await runThreads({ set, mode, shape, board, pool, members, wrong, deadlineMs, fault, area });

  const verdict = mode.verify(ground, set.repetitions);
  const total = (word: number): number =>
    Array.from({ length: members }, (_, k) => board.row(k)[word] as number).reduce((sum, n) => sum + n, 0);
  if (wrong.length === 0 && verdict.sum !== verdict.expected) {
    wrong.push(`the sum is ${verdict.sum}, expected ${verdict.expected}`);
  }
  wrong.push(...verdict.wrong);
  if (wrong.length === 0) checkLeft(area, wrong);
  return {
    set,
    ok: wrong.length === 0,
    sum: verdict.sum,
    expected: verdict.expected,
    wrong,
    deaths: total(ROW.deaths),
    flips: board.words[BOARD.flips] as number,
    aborted: total(ROW.aborted),
    ms: performance.now() - begun,
  };
}

interface Threads {
  readonly set: ParamSet;
  readonly mode: Mode;
  readonly shape: Shape;
  readonly board: Board;
  readonly pool: Pool;
  readonly members: number;
  readonly wrong: string[];
  readonly deadlineMs: number;
  readonly fault: FaultName | undefined;
  readonly area: Core.Area;
}

async function runThreads(run: Threads): Promise<void> {
  const { set, mode, shape, board, pool, members, wrong, deadlineMs, fault, area } = run;
  const deaths = planDeaths(set, mode);
  const busy = new Map<number, Hand>();
  let unsettled = 0;
  let failed = (): void => {};
  let settled = (): void => {};
  const failure = new Promise<void>((resolve) => {
    failed = resolve;
  });
  const allEnded = new Promise<void>((resolve) => {
    settled = resolve;
  });

  const fail = (text: string): void => {
    wrong.push(text);
    failed();
  };

  function end(thread: number): void {
    const hand = busy.get(thread);
    busy.delete(thread);
    if (hand !== undefined) pool.give(hand);
    if (--unsettled === 0) settled();
  }

  async function succeed(thread: number): Promise<void> {
    const dead = busy.get(thread);
    busy.delete(thread);
    await dead?.kill();
    if (Atomics.load(board.words, BOARD.stop) === 0) await begin(thread);
  }

  async function begin(thread: number): Promise<void> {
    const hand = await pool.take();
    busy.set(thread, hand);
    hand.listen((report: Report) => {
      if (report.kind === 'gate') succeed(thread).catch((error: Error) => fail(error.message));
      else if (report.kind === 'failed') fail(`thread ${thread}: ${report.message}`);
      else if (report.kind !== 'ready') end(thread);
    });
    const job: Job = {
      set,
      shape,
      thread,
      memory: area.memory,
      buffer: area.buffer,
      board: board.words.buffer,
      deaths: deaths[thread] ?? [],
      fault,
    };
    hand.post(job);
  }

  unsettled = members;
  const deadline = setTimeout(() => fail(`not over within ${deadlineMs} ms: ${whereabouts(run)}`), deadlineMs);
  try {
    for (let thread = 0; thread < members; thread++) begin(thread).catch((error: Error) => fail(error.message));
    await Promise.race([whenReady(board, members), failure]);
    Atomics.store(board.words, BOARD.start, 1);
    Atomics.notify(board.words, BOARD.start);
    await Promise.race([allEnded, failure]);
  } finally {
    clearTimeout(deadline);
    if (unsettled > 0) {
      Atomics.store(board.words, BOARD.stop, 1);
      await Promise.race([allEnded, sleep(STOP_MS)]);
      await Promise.all([...busy.values()].map((hand) => hand.kill()));
    }
  }
}

async function whenReady({ words }: Board, members: number): Promise<void> {
  while (Atomics.load(words, BOARD.ready) < members && Atomics.load(words, BOARD.stop) === 0) await sleep(1);
}

/** Who dies, after how many repetitions, and in which step. */
function planDeaths({ act, deaths, loops, modulo, repetitions, seed, threads }: ParamSet, mode: Mode): Death[][] {
  const plan: Death[][] = Array.from({ length: threads }, () => []);
  const inside = loops.some((count, point) => count === -1 && point <= INNER_POINTS);
  const names = inside ? mode.sections : mode.names;
  if (act !== 'kill' || modulo === 0 || names.length === 0) return plan;
  const random = createRandom(seed);
  for (let k = 0; k < deaths; k++) {
    const death = { done: random.below(Math.ceil(repetitions * DEATHS_WITHIN)), step: random.pick(names) };
    random.pick(plan).push(death);
  }
  for (const row of plan) row.sort((a, b) => a.done - b.done);
  return plan;
}

/** Where the threads are that have not finished. */
function whereabouts({ board, members, mode, set }: Threads): string {
  const rows = Array.from({ length: members }, (_, thread) => ({ thread, row: board.row(thread) }));
  const texts = rows
    .filter(({ row }) => row[ROW.state] !== FINISHED)
    .map(({ thread, row }) => {
      const [state, step, done] = [row[ROW.state], row[ROW.step], row[ROW.done]] as [number, number, number];
      const who = thread === set.threads ? 'the manager' : `thread ${thread}`;
      const what = `${mode.names[step] ?? 'its loop'} on shard ${row[ROW.shard]}, attempt ${row[ROW.tries]}`;
      return `${who} is ${STATES[state]} with ${done} of ${set.repetitions} repetitions done, at ${what}, hand ${row[ROW.hand]}`;
    });
  return texts.join('; ') || 'all have finished';
}

/** Every thread has unregistered, or was proven dead. */
function checkLeft(area: Core.Area, wrong: string[]): void {
  area.reclaim();
  const { slots } = area.inspect();
  if (slots.length > 0) wrong.push(`slots are left behind: ${slots.map(({ slot }) => slot).join(', ')}`);
}
