// The tests of param_test by their letters. Each lays out memory, fills it, is run by every thread, and is judged at the end.

import { bufferMode } from './selftest-buffer.js';
import { incrementMode, lockMode, spinlockMode } from './selftest-counts.js';
import type { Ground, Layout } from './selftest-ground.js';
import { listMode } from './selftest-list.js';
import { membarrierMode } from './selftest-membarrier.js';
import { memcpyMode } from './selftest-memcpy.js';
import type { ModeName } from './selftest-set.js';
import type { Step, Turn } from './selftest-turn.js';

export interface Verdict {
  readonly sum: number;
  readonly expected: number;
  /** What else is not as it has to be. */
  readonly wrong: readonly string[];
}

export interface Mode extends Layout {
  /** Called by the controller, before there are threads. */
  fill(ground: Ground): void;
  /** The steps of a thread, for what names them. */
  steps(turn: Turn): readonly Step[];
  thread(turn: Turn, steps: readonly Step[]): void;
  /** A thread more, beside the others. */
  manage?(turn: Turn): void;
  verify(ground: Ground, repetitions: number): Verdict;
  /** Names of its steps, and of those with injection points inside. */
  readonly names: readonly string[];
  readonly sections: readonly string[];
}

const MODES: Readonly<Record<ModeName, Mode>> = {
  s: spinlockMode,
  p: lockMode,
  l: listMode,
  b: bufferMode,
  bM: bufferMode,
  m: memcpyMode,
  mM: memcpyMode,
  i: incrementMode,
  r: membarrierMode,
};

export const modeOf = (name: ModeName): Mode => MODES[name];
