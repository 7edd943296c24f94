// One parameter set of the selftests: which test, on what, with which injection; and the words for it.

export type ModeName = 's' | 'p' | 'l' | 'b' | 'bM' | 'm' | 'mM' | 'i' | 'r';
export type IndexName = 'cpu' | 'slot';
/** The library without injection points, with them, and with a second comparison inside critical sections as well. */
export type BuildName = 'production' | 'plain' | 'twice';
export type StepsName = 'wasm' | 'twin';
export type Act = 'none' | 'yield' | 'sleep' | 'kill';

export interface ParamSet {
  readonly mode: ModeName;
  readonly index: IndexName;
  readonly build: BuildName;
  readonly steps: StepsName;
  /** Indexed by injection point, 1 to 9: loops there; -1: `act`, at every `modulo`th passage. */
  readonly loops: readonly number[];
  readonly modulo: number;
  readonly act: Act;
  readonly sleepMs: number;
  /** How many threads are killed in the run, at most. */
  readonly deaths: number;
  readonly threads: number;
  readonly repetitions: number;
  /** Whether threads yield between taking something out and putting it back. */
  readonly shuffles: boolean;
  readonly seed: number;
}

export const POINTS = 9;
/** The last point that lies inside an operation. */
export const INNER_POINTS = 6;

/** Injection at no point. */
export const NOWHERE: readonly number[] = Object.freeze(Array.from({ length: POINTS + 1 }, () => 0));

export function injecting(point: number, loops: number): readonly number[] {
  return NOWHERE.map((none, at) => (at === point ? loops : none));
}

/** A title for each test. */
export const TITLES: Readonly<Record<ModeName, string>> = {
  s: 'spinlock',
  p: 'spinlock (PerCpuLock)',
  l: 'list',
  b: 'buffer',
  bM: 'buffer, release',
  m: 'memcpy',
  mM: 'memcpy, release',
  i: 'increment',
  r: 'membarrier',
};

export function injectionOf(set: ParamSet): string {
  const points = (wanted: (loops: number) => boolean): string =>
    set.loops.flatMap((loops, point) => (wanted(loops) ? [point] : [])).join(', ');
  const parts: string[] = [];
  const looping = points((loops) => loops > 0);
  if (looping !== '') parts.push(`${Math.max(...set.loops)} loops at ${looping}`);
  const acting = points((loops) => loops === -1);
  if (acting !== '' && set.act !== 'none' && set.modulo > 0) {
    parts.push(`${set.act} ${Math.round(100 / set.modulo)} % at ${acting}`);
  }
  return parts.join(', ') || 'no injection';
}

/** How this run is asked for by itself. */
export function argumentsOf(set: ParamSet): string {
  const parts = [
    '-T',
    set.mode[0],
    ...(set.mode.endsWith('M') ? ['-M'] : []),
    '-t',
    set.threads,
    '-r',
    set.repetitions,
  ];
  for (const [point, loops] of set.loops.entries()) if (loops !== 0) parts.push(`-${point}`, loops);
  if (set.modulo > 0) parts.push('-m', set.modulo);
  if (set.act === 'yield') parts.push('-y');
  if (set.act === 'kill') parts.push('-k', '--kills', set.deaths);
  if (set.act === 'sleep') parts.push('-s', set.sleepMs);
  parts.push('--index', set.index);
  if (set.build === 'twice') parts.push('--compare-twice');
  if (set.build === 'production') parts.push('--production');
  if (set.steps === 'twin') parts.push('--twin');
  if (set.shuffles && set.act !== 'yield') parts.push('--shuffle');
  parts.push('--seed', set.seed);
  return parts.join(' ');
}
