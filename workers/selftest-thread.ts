// A thread of the selftests: a worker that is kept from run to run. For each it joins the run's area with the copy of the library that
// the run is about, waits for the start, and does its repetitions, or what is left of those of the thread it follows.

import { parentPort } from 'node:worker_threads';
import type { SharedMemory } from '../src/core.js';
import { BOARD, boardOn, FINISHED, READY, ROW, RUNNING } from './selftest-board.js';
import { brokenApi, type FaultName } from './selftest-faults.js';
import { type Library, openGround, type Shape } from './selftest-ground.js';
import { createInjector, type Death } from './selftest-inject.js';
import { loadLibrary } from './selftest-library.js';
import { modeOf } from './selftest-modes.js';
import type { ParamSet } from './selftest-set.js';
import { Stopped, type Turn } from './selftest-turn.js';
import { deriveSeed } from './stress-random.js';

export interface Job {
  readonly set: ParamSet;
  readonly shape: Shape;
  /** Counted from 0; the one behind the last is the manager. */
  readonly thread: number;
  readonly memory: SharedMemory | undefined;
  readonly buffer: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly deaths: readonly Death[];
  readonly fault: FaultName | undefined;
}

export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'gate' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly message: string };

const START_MS = 60_000;

const port = parentPort;
if (port === null) throw new Error('selftest-thread.js runs as a worker');
const tell = (report: Report): void => port.postMessage(report);

port.on('message', async (job: Job) => {
  try {
    run(await loadLibrary(job.set.build), job);
    tell({ kind: 'ended' });
  } catch (error) {
    if (error instanceof Stopped) tell({ kind: 'stopped' });
    else tell({ kind: 'failed', message: `${(error as Error).name}: ${(error as Error).message}` });
  }
});
tell({ kind: 'ready' });

function run(library: Library, { set, shape, thread, memory, buffer, board: shared, deaths, fault }: Job): void {
  const board = boardOn(shared);
  const row = board.row(thread);
  const mode = modeOf(set.mode);
  const area = library.openArea(set.steps === 'wasm' ? (memory ?? buffer) : buffer);
  const ground = openGround(library, area, mode, set.index, shape);
  try {
    const injector = createInjector(set, board, row, deaths, () => tell({ kind: 'gate' }));
    const api = { ops: library.ops, fence: library.fence };
    const turn: Turn = {
      library,
      api: fault === undefined ? api : brokenApi(fault, api, ground, thread),
      ground,
      board,
      row,
      thread,
      repetitions: set.repetitions,
      order: set.mode.endsWith('M') ? 'release' : 'relaxed',
      index: set.index,
      shuffles: set.shuffles,
      seed: deriveSeed(set.seed, thread),
      ...injector,
    };
    // Opens the source of the CPU number, which may load native code: nobody is to be terminated in there.
    ground.perCpu.start();
    Atomics.store(row, ROW.state, READY);
    Atomics.add(board.words, BOARD.ready, 1);
    waitForStart(board.words);
    Atomics.store(row, ROW.state, RUNNING);
    if (thread === set.threads) mode.manage?.(turn);
    else {
      library.injection.at = injector.at;
      mode.thread(turn, mode.steps(turn));
      Atomics.add(board.words, BOARD.finished, 1);
    }
    Atomics.store(row, ROW.state, FINISHED);
  } finally {
    library.injection.at = () => {};
    ground.perCpu.dispose();
  }
}

function waitForStart(words: Int32Array<SharedArrayBuffer>): void {
  for (const end = Date.now() + START_MS; Date.now() < end; Atomics.wait(words, BOARD.start, 0, 1000)) {
    if (Atomics.load(words, BOARD.stop) !== 0) throw new Stopped('the run was stopped');
    if (Atomics.load(words, BOARD.start) !== 0) return;
  }
  throw new Error('the run was not started');
}
