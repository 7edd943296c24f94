// What is tried next. A schedule is the list of its decisions; every decision point that has more than one option asks
// `decide`. Depth first, a schedule repeats the decisions of the one before up to its last one with an option left, takes that,
// and the first option everywhere beyond. The bound of preemptions rises from 0, as in CHESS, so that a failure comes with the
// fewest preemptions it needs. Random schedules follow PCT (Burckhardt et al., ASPLOS 2010): random priorities, lowered at
// a few random places. A replay takes its decisions from a list and the first option elsewhere.

import {
  BOTH,
  CHANGES,
  CHOOSE,
  COMPLETE,
  type Control,
  CUT,
  DEPTH,
  EXHAUSTED,
  EXPIRE,
  F_ALL_OPERATIONS,
  F_ALL_SCHEDULES,
  F_MAX_SCHEDULES,
  F_OPERATIONS,
  F_POINTS,
  F_PRIORITY,
  F_PRUNED,
  F_RESTARTS,
  F_SCHEDULES,
  F_UNTIL,
  GREW,
  KILL,
  KILL_AT,
  LEVEL,
  LONGEST,
  MAX_KILLS,
  MAX_PREEMPTIONS,
  MODE,
  OPERATIONS,
  POINTS,
  PREFIX,
  PRUNE,
  RANDOM,
  RANDOM_STATE,
  REDUCE,
  REPLAY,
  REPLAY_LENGTH,
  REPLAYED,
  SCRATCH,
  SEED,
  STACK_SIZE,
  STOP,
  THREADS,
  TICK,
} from './control.js';

/** How often a wait expires early in a random schedule: one in so many offers. */
const EXPIRE_ONE_IN = 8;
const DECISIONS_BETWEEN_CLOCKS = 16;

export interface Search {
  /**
   * The option to take, of `count` whose values (threads) stand in SCRATCH; for CHOOSE the option is its own value.
   * -1: this schedule was offered other options the last time.
   */
  decide(kind: number, count: number): number;
  /** Whether everything that was to be repeated has been. */
  settled(): boolean;
  /** Counts the schedule that has ended. */
  count(): void;
  /** Goes on to the next schedule; false when there is none. */
  advance(grown: () => void): boolean;
  /** Draws the priorities of a random schedule. */
  begin(): void;
  /** The thread falls behind all others (PCT). */
  demote(thread: number): void;
}

/** `atomics` and `now` are the real ones. */
export function createSearch(control: Control, atomics: Atomics, now: () => number): Search {
  const { c, f, kinds, ticks, choices, counts, values, replay } = control;
  let looks = 0;

  function random(below: number): number {
    // mulberry32
    const state = ((c[RANDOM_STATE] as number) + 0x6d2b79f5) | 0;
    c[RANDOM_STATE] = state;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  function demote(thread: number): void {
    let lowest = 0;
    for (let k = 0; k < (c[THREADS] as number); k++) lowest = Math.min(lowest, f[F_PRIORITY + k] as number);
    f[F_PRIORITY + thread] = lowest - 1;
  }

  function pick(kind: number, count: number): number {
    if (kind === CHOOSE) return random(count);
    if (kind === EXPIRE) return random(EXPIRE_ONE_IN) === 0 ? 1 + random(count - 1) : 0;
    const tick = c[TICK] as number;
    if (kind === KILL) {
      for (let k = 0; k < (c[MAX_KILLS] as number); k++) {
        if ((c[KILL_AT + k] as number) > tick) continue;
        c[KILL_AT + k] = 2 ** 31 - 1;
        return 1 + random(count - 1);
      }
      return 0;
    }
    let best = 0;
    for (let k = 1; k < count; k++) {
      const a = f[F_PRIORITY + (c[SCRATCH + k] as number)] as number;
      if (a > (f[F_PRIORITY + (c[SCRATCH + best] as number)] as number)) best = k;
    }
    return best;
  }

  function decideReplayed(kind: number, count: number): number {
    const k = c[REPLAYED] as number;
    if (k >= (c[REPLAY_LENGTH] as number) || replay.ticks[k] !== c[TICK] || replay.kinds[k] !== kind) return 0;
    c[REPLAYED] = k + 1;
    const value = replay.values[k] as number;
    if (kind === CHOOSE) return value < count ? value : -1;
    for (let option = 0; option < count; option++) if (c[SCRATCH + option] === value) return option;
    return -1;
  }

  function decide(kind: number, count: number): number {
    const d = c[DEPTH] as number;
    if (d >= (c[STACK_SIZE] as number)) return -1;
    c[DEPTH] = d + 1;
    let choice: number;
    const mode = c[MODE];
    if (mode === REPLAY) {
      choice = decideReplayed(kind, count);
      if (choice < 0) return -1;
    } else if (d < (c[PREFIX] as number)) {
      if (kinds[d] !== kind || counts[d] !== count || ticks[d] !== c[TICK]) return -1;
      choice = choices[d] as number;
    } else {
      choice = mode === RANDOM ? pick(kind, count) : 0;
    }
    kinds[d] = kind;
    ticks[d] = c[TICK] as number;
    counts[d] = count;
    choices[d] = choice;
    values[d] = kind === CHOOSE ? choice : (c[SCRATCH + choice] as number);
    return choice;
  }

  function restart(): void {
    c[DEPTH] = 0;
    c[PREFIX] = 0;
    c[GREW] = 0;
    c[CUT] = 0;
    f[F_SCHEDULES] = 0;
    f[F_OPERATIONS] = 0;
    f[F_POINTS] = 0;
    f[F_PRUNED] = 0;
  }

  // The last decision with an option left takes it.
  function backtrack(): boolean {
    for (let d = (c[DEPTH] as number) - 1; d >= 0; d--) {
      const next = (choices[d] as number) + 1;
      if (next >= (counts[d] as number)) continue;
      choices[d] = next;
      c[PREFIX] = d + 1;
      return true;
    }
    return false;
  }

  function exhausted(): boolean {
    const level = c[LEVEL] as number;
    if (c[CUT] === 1 && level < (c[MAX_PREEMPTIONS] as number)) {
      c[LEVEL] = level + 1;
      restart();
      return true;
    }
    c[EXHAUSTED] = 1;
    c[COMPLETE] = c[CUT] === 0 ? 1 : 0;
    if (c[MODE] !== BOTH) return false;
    c[MODE] = RANDOM;
    c[PREFIX] = 0;
    return true;
  }

  function count(): void {
    if (c[PRUNE] === 1) f[F_PRUNED]!++;
    else {
      f[F_SCHEDULES]!++;
      f[F_ALL_SCHEDULES]!++;
    }
    f[F_OPERATIONS]! += c[OPERATIONS] as number;
    f[F_ALL_OPERATIONS]! += c[OPERATIONS] as number;
    f[F_POINTS]! += c[POINTS] as number;
    c[LONGEST] = Math.max(c[LONGEST] as number, c[TICK] as number);
  }

  function advance(grown: () => void): boolean {
    if (c[MODE] === REPLAY) return false;
    let more: boolean;
    if (c[MODE] === RANDOM) {
      if (c[GREW] === 1) grown();
      c[GREW] = 0;
      more = true;
    } else if (c[GREW] === 1 && c[REDUCE] === 1) {
      grown();
      restart();
      f[F_RESTARTS]!++;
      more = true;
    } else {
      more = backtrack() || exhausted();
    }
    if (!more || atomics.load(c, STOP) !== 0 || (f[F_ALL_SCHEDULES] as number) >= (f[F_MAX_SCHEDULES] as number)) {
      return false;
    }
    return ++looks % DECISIONS_BETWEEN_CLOCKS !== 0 || now() < (f[F_UNTIL] as number);
  }

  function begin(): void {
    if (c[MODE] !== RANDOM) return;
    const schedule = f[F_ALL_SCHEDULES] as number;
    c[RANDOM_STATE] = Math.imul((c[SEED] as number) ^ Math.imul(schedule + 1, 0x9e3779b1), 0x85ebca6b);
    const n = c[THREADS] as number;
    for (let k = 0; k < n; k++) f[F_PRIORITY + k] = k + 1;
    for (let k = n - 1; k > 0; k--) {
      const other = random(k + 1);
      const held = f[F_PRIORITY + k] as number;
      f[F_PRIORITY + k] = f[F_PRIORITY + other] as number;
      f[F_PRIORITY + other] = held;
    }
    const length = Math.max(c[LONGEST] as number, 2);
    for (let k = 0; k < (c[MAX_PREEMPTIONS] as number); k++) c[CHANGES + k] = 1 + random(length);
    for (let k = 0; k < (c[MAX_KILLS] as number); k++) c[KILL_AT + k] = random(length + 1);
  }

  return {
    decide,
    settled: () =>
      c[MODE] === REPLAY ? c[REPLAYED] === c[REPLAY_LENGTH] : (c[DEPTH] as number) >= (c[PREFIX] as number),
    count,
    advance,
    begin,
    demote,
  };
}
