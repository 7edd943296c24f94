// Which parameter sets are run. The kernel's script goes through 37 of them for each test and build: no injection, loops at each of 9
// points, and yielding, being killed and sleeping at 3 points, at a quarter, half or all of the passages; since 2026 the last 27 twice.

import {
  type Act,
  type BuildName,
  type IndexName,
  injecting,
  type ModeName,
  NOWHERE,
  type ParamSet,
  type StepsName,
} from './selftest-set.js';
import { createRandom, deriveSeed, type Random } from './stress-random.js';

export interface Sizes {
  readonly threads: number;
  readonly repetitions: number;
  /** Where threads sleep or are killed. */
  readonly slowRepetitions: number;
  readonly seed: number;
}

/** The injection of a set. */
type Injection = Pick<ParamSet, 'loops' | 'modulo' | 'act' | 'sleepMs' | 'deaths'>;

export const MODES: readonly ModeName[] = ['s', 'l', 'b', 'bM', 'm', 'mM', 'i', 'r'];
const INDEXES: readonly IndexName[] = ['cpu', 'slot'];
const BUILDS: readonly BuildName[] = ['plain', 'twice'];
const STEPS: readonly StepsName[] = ['wasm', 'twin'];
const WITH_SECTIONS: readonly ModeName[] = ['l', 'b', 'bM', 'm', 'mM', 'r'];

const LOOPS = 10_000;
const POINTS_ALL = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const POINTS_INSIDE = [1, 2, 3, 4, 5, 6];
const POINTS_OUTSIDE = [7, 8, 9];
/** Every passage, every second, every fourth. */
const MODULOS = [4, 2, 1];
const SLEEP_MS = 1;
/** Threads killed in a run: a successor has to be started for each, so this is bounded, and follows the share of the passages. */
const DEATHS: Readonly<Record<number, number>> = { 4: 1, 2: 2, 1: 4 };
const DEATHS_INSIDE = 2;

const NONE: Injection = { loops: NOWHERE, modulo: 0, act: 'none', sleepMs: 0, deaths: 0 };

const acting = (act: Act, point: number, modulo: number): Injection => ({
  loops: injecting(point, -1),
  modulo,
  act,
  sleepMs: act === 'sleep' ? SLEEP_MS : 0,
  deaths: act === 'kill' ? (DEATHS[modulo] as number) : 0,
});

const looping: readonly Injection[] = POINTS_ALL.map((point) => ({ ...NONE, loops: injecting(point, LOOPS) }));
const blocking = (act: Act): Injection[] =>
  MODULOS.flatMap((modulo) => POINTS_OUTSIDE.map((point) => acting(act, point, modulo)));
const killingInside = (point: number): Injection => ({ ...acting('kill', point, 1), deaths: DEATHS_INSIDE });

/** 8 tests x 4 builds x 64 sets: those of 2026, where the doubled ones are run on wasm and on the JavaScript twin. */
export function fullMatrix(sizes: Sizes): ParamSet[] {
  const twice = [...blocking('yield'), ...blocking('kill'), ...blocking('sleep')];
  const sets: [StepsName, Injection][] = [
    ...[NONE, ...looping, ...twice].map((injection): [StepsName, Injection] => ['wasm', injection]),
    ...twice.map((injection): [StepsName, Injection] => ['twin', injection]),
  ];
  const rows = sets.flatMap(([steps, injection]) =>
    MODES.flatMap((mode) =>
      INDEXES.flatMap((index) => BUILDS.map((build) => ({ mode, index, build, steps, injection }))),
    ),
  );
  return rows.map((row, k) => parameters(row, sizes, k));
}

/**
 * Every test with every index, build, implementation and kind of injection: 8 x 2 x 2 x 2 x 5 sets. Which point and which share of the
 * passages a set has is dealt from a shuffled deck, so all of them come up many times.
 */
export function sampledMatrix(sizes: Sizes): ParamSet[] {
  const random = createRandom(sizes.seed);
  const kinds = [
    deck([NONE], random),
    deck(looping, random),
    ...(['yield', 'kill', 'sleep'] as const).map((act) => deck(blocking(act), random)),
  ];
  const rows = kinds.flatMap((deal) =>
    MODES.flatMap((mode) =>
      INDEXES.flatMap((index) =>
        BUILDS.flatMap((build) => STEPS.map((steps) => ({ mode, index, build, steps, injection: deal() }))),
      ),
    ),
  );
  return rows.map((row, k) => parameters(row, sizes, k));
}

/**
 * Beyond the kernel's sets: threads that are killed inside an operation, with a CPU's word held, a section announced, before and behind
 * the commit. In all of them, or for each test, index, build and implementation at one of the points.
 */
export function insideMatrix(sizes: Sizes, all: boolean): ParamSet[] {
  const random = createRandom(deriveSeed(sizes.seed, 1));
  const deal = deck(POINTS_INSIDE, random);
  const rows = WITH_SECTIONS.flatMap((mode) =>
    INDEXES.flatMap((index) =>
      BUILDS.flatMap((build) =>
        STEPS.flatMap((steps) =>
          (all ? POINTS_INSIDE : [deal()]).map((point) => ({
            mode,
            index,
            build,
            steps,
            injection: killingInside(point),
          })),
        ),
      ),
    ),
  );
  return rows.map((row, k) => parameters(row, sizes, -1 - k));
}

interface Row {
  readonly mode: ModeName;
  readonly index: IndexName;
  readonly build: BuildName;
  readonly steps: StepsName;
  readonly injection: Injection;
}

function parameters(
  { injection, ...row }: Row,
  { threads, repetitions, slowRepetitions, seed }: Sizes,
  k: number,
): ParamSet {
  const slow = injection.act === 'sleep' || injection.act === 'kill';
  return {
    ...row,
    ...injection,
    threads,
    repetitions: slow ? slowRepetitions : repetitions,
    // As in the kernel's tests of the list and the buffers.
    shuffles: injection.act === 'yield',
    seed: deriveSeed(seed, k),
  };
}

/** Deals every card before it deals one again. */
function deck<T>(cards: readonly T[], random: Random): () => T {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = [...cards];
    return left.splice(random.below(left.length), 1)[0] as T;
  };
}
