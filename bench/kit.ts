// Measures variants against each other: round by round, in rotating order, so that a slow moment of the machine hits all of
// them. A result is the median over the rounds of the ratio inside one round; times leave this file only as ratios. A group is one
// set of variants, measured in a process of its own (child.ts), so that no other code shapes what the compiler makes of it.

import { Bench } from 'tinybench';

/** What a ratio should be: ours over the baseline at most, or the peer's over ours at least. */
export type Bar = { readonly atMost: number } | { readonly atLeast: number };

export interface Row {
  readonly what: string;
  /** Median over the rounds. */
  readonly ratio: number;
  /** The lowest and highest ratio of a round. */
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
  /** None where a row only informs. */
  readonly bar?: Bar;
  readonly met?: boolean;
  /** What plain code without the library reaches on this machine in the same rounds, where that bounds the ratio. */
  readonly limit?: number;
}

export type Group = () => Promise<Row[]>;

/** A topic: its groups, by name. */
export type Topic = Readonly<Record<string, Group>>;

export interface Variant {
  /** Operations in one sample; a loop whose turn takes under a nanosecond needs a million or more. */
  readonly ops: number;
  /** Does so many of them and returns what it computed. */
  readonly loop?: (times: number) => unknown;
  /** Instead of a loop: does them all and returns the ms that took as `{ overriddenDuration }`. */
  readonly sample?: () => Timed | Promise<Timed>;
}

export interface Timed {
  readonly overriddenDuration: number;
}

/** Time of one operation, by round. */
export type Rounds<Name extends string> = Readonly<Record<Name, readonly number[]>>;

export interface Options {
  /** At least 7. Default 15. */
  readonly rounds?: number;
  /** Samples of a variant in one round. Default 7. */
  readonly samples?: number;
  /**
   * Which of them counts. The fastest, since whatever else the machine does only adds to a computation (the default); the median
   * where threads contend, and a sample is fast because one of them was away.
   */
  readonly counts?: 'fastest' | 'median';
  /** Rounds before those that count. Default 3. */
  readonly warmup?: number;
}

const WARMUP_MS = 100;

/** Whatever loops return ends up here, so that none of it is dead code. */
export let sink: unknown;

export async function interleave<Name extends string>(
  variants: Readonly<Record<Name, Variant>>,
  { rounds = 15, samples = 7, counts = 'fastest', warmup = 3 }: Options = {},
): Promise<Rounds<Name>> {
  const names = Object.keys(variants) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (const name of names) await warmUp(variants[name]);
  for (let round = -warmup; round < rounds; round++) {
    const first = (round + warmup) % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const time = await timeOf(variants[name], samples, counts);
      if (round >= 0) times[name].push(time);
    }
  }
  return times;
}

async function timeOf({ ops, loop, sample }: Variant, samples: number, counts: 'fastest' | 'median'): Promise<number> {
  const run = (): void => {
    sink = loop?.(ops);
  };
  const bench = new Bench({ iterations: samples, time: 0, warmup: false, throws: true });
  if (sample !== undefined) bench.add('sample', sample, { async: true });
  else bench.add('loop', run, { async: false });
  const [task] = sample === undefined ? bench.runSync() : await bench.run();
  const result = task?.result;
  if (result?.state !== 'completed') throw new Error('tinybench did not complete a sample');
  return (counts === 'fastest' ? result.latency.min : result.latency.p50) / ops;
}

/**
 * Many short calls, with a pause in which the compiler finishes. A long first call would be compiled while it runs (on-stack
 * replacement), and what comes of that differs by several times from process to process.
 */
async function warmUp({ ops, loop }: Variant): Promise<void> {
  if (loop === undefined) return;
  const times = Math.max(1, Math.floor(ops / 1000));
  for (let half = 0; half < 2; half++) {
    const end = performance.now() + WARMUP_MS;
    while (performance.now() < end) sink = loop(times);
    await new Promise((resolve) => setTimeout(resolve, WARMUP_MS));
  }
}

/**
 * A line of the result: what one took over what the other took. `plain` is the time of the plain code that the faster of the two
 * is made of.
 */
export function row(
  what: string,
  over: readonly number[],
  under: readonly number[],
  bar?: Bar,
  plain?: readonly number[],
): Row {
  const ratios = ratiosOf(over, under);
  const ratio = median(ratios);
  return {
    what,
    ratio,
    low: ratios[0] as number,
    high: ratios.at(-1) as number,
    rounds: ratios.length,
    ...(bar === undefined ? {} : { bar, met: 'atMost' in bar ? ratio <= bar.atMost : ratio >= bar.atLeast }),
    ...(plain === undefined ? {} : { limit: median(ratiosOf(over, plain)) }),
  };
}

function ratiosOf(over: readonly number[], under: readonly number[]): number[] {
  return over.map((time, round) => time / (under[round] as number)).sort((a, b) => a - b);
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** An index that the compiler cannot fold: a field that has been assigned more than once. */
export function variable(index: number): { readonly at: number } {
  const place = { at: 0 };
  place.at = index;
  return place;
}

/** The bundle with everything in it, internals too; the same instance that `coexist` re-exports. */
export const loadCore = (): Promise<typeof import('../src/core.js')> =>
  import(new URL('../../dist/core.js', import.meta.url).href);
