// What happens at an injection point: loops, a yield, a sleep, or the death of the thread. A death is planned: the thread says in its
// row where it is, asks the controller to terminate it, and does nothing more. So what it had done is known to the step.

import { AT_GATE, BOARD, type Board, ROW } from './selftest-board.js';
import { INNER_POINTS, type ParamSet } from './selftest-set.js';
import type { Step } from './selftest-turn.js';
import { Violation } from './selftest-turn.js';

/** A thread dies at the first passage that counts, at this step, once it has done so many repetitions. */
export interface Death {
  readonly done: number;
  readonly step: string;
}

export interface Injector {
  at(point: number): void;
  enter(step: Step, number: number): void;
}

/** How long a thread waits to be terminated. */
const GATE_MS = 60_000;
const COMMIT_POINT = 5;

// Kept, so that the loops are not optimised away.
let loopsDone = 0;

/** `askForDeath` tells the controller that the thread stands still. */
export function createInjector(
  set: ParamSet,
  board: Board,
  row: Int32Array<SharedArrayBuffer>,
  deaths: readonly Death[],
  askForDeath: () => void,
): Injector {
  const { loops, modulo, act, sleepMs } = set;
  let passages = 0;
  let step: Step | undefined;
  let number = 0;
  let before: unknown;
  let reachedCommit = false;

  function due(): boolean {
    const next = deaths[row[ROW.deaths] as number];
    return next !== undefined && (row[ROW.done] as number) >= next.done && step?.name === next.step;
  }

  function die(point: number): void {
    // Behind the commit, which may have failed: then the operation was not done.
    if (point === INNER_POINTS && reachedCommit && step?.committed(before)) step.commit();
    row[ROW.step] = number;
    row[ROW.point] = point;
    row[ROW.deaths]!++;
    Atomics.store(row, ROW.state, AT_GATE);
    askForDeath();
    for (const end = Date.now() + GATE_MS; Date.now() < end; ) Atomics.wait(board.words, BOARD.still, 0, 1000);
    throw new Violation('nobody terminated the thread at its gate');
  }

  return {
    enter(next, itsNumber) {
      step = next;
      number = itsNumber;
      row[ROW.step] = itsNumber;
    },

    at(point) {
      if (act === 'kill' && loops[INNER_POINTS] === -1) {
        if (point === 1) reachedCommit = false;
        if (point === COMMIT_POINT && due()) {
          before = step?.look();
          reachedCommit = true;
        }
      }
      const count = loops[point] as number;
      if (count === 0) return;
      for (let k = 0; k < count; k++) loopsDone = (loopsDone + 1) | 0;
      if (count !== -1 || modulo === 0) return;
      // Of a death, passages count once it is due: a step that alternates with another would never be the fourth.
      if (act === 'kill' && !due()) return;
      passages++;
      if (passages < modulo) return;
      passages = 0;
      if (act === 'sleep') Atomics.wait(board.words, BOARD.still, 0, sleepMs);
      else if (act === 'yield') Atomics.wait(board.words, BOARD.still, 0, 0);
      else if (act === 'kill') die(point);
    },
  };
}
