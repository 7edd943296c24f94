// One rendezvous race, in a process of its own, by the plan of a seed (workers/race-plan.ts). All threads gather at a gate,
// attach at about the same time, then each registers, counts once, and meets the others at a barrier to look at the area
// they should share. Main prints a report.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';
import { type Copy, draw, flat, type Participant, type Plan } from './race-plan.js';

/** What one copy in one thread has to say. */
export interface Sighting {
  readonly who: string;
  readonly id: number;
  /** The step of the rendezvous that led to the area. */
  readonly via: string;
  /** Registered threads and their registrations, when all had registered. */
  readonly rows: number;
  readonly registrations: number;
  readonly counted: number;
  readonly conflicted: boolean;
  readonly error: string;
}

export interface Report {
  readonly plan: Plan;
  /** Threads that attached, and copies in them. */
  readonly threads: number;
  readonly attempts: number;
  readonly sightings: readonly Sighting[];
}

interface Shared {
  readonly urls: Readonly<Record<Copy, string>>;
  /** [ready, gate, attached, barrier, early threads, all threads, failed] */
  readonly words: Int32Array;
}

interface Start {
  readonly who: string;
  readonly participant: Participant;
  readonly shared: Shared;
}

const [READY, GATE, ATTACHED, BARRIER, EARLY, ALL, FAILED] = [0, 1, 2, 3, 4, 5, 6] as const;
const BOUND_MS = 15_000;

/** Adds one and waits, bounded, until the word has reached the goal. */
function arrive({ words }: Shared, word: number, goal: number): void {
  Atomics.add(words, word, 1);
  Atomics.notify(words, word);
  reach(words, word, goal);
}

function reach(words: Int32Array, word: number, goal: number): void {
  const deadline = Date.now() + BOUND_MS;
  for (let seen = Atomics.load(words, word); seen < goal; seen = Atomics.load(words, word)) {
    if (Atomics.load(words, FAILED) !== 0) throw new Error('another thread failed');
    if (Date.now() > deadline) throw new Error(`word ${word} is ${seen}, expected ${goal}, after ${BOUND_MS} ms`);
    Atomics.wait(words, word, seen, 100);
  }
}

function spin(turns: number): void {
  for (let i = 0; i < turns; i++);
}

interface Loaded {
  readonly library: typeof core;
  readonly percpu: typeof core;
}

function load({ urls }: Shared, copies: readonly Copy[]): Promise<Loaded[]> {
  return Promise.all(
    copies.map(async (copy) => ({
      library: (await import(urls[copy])) as typeof core,
      percpu: (await import(new URL('percpu.js', urls[copy]).href)) as typeof core,
    })),
  );
}

/** Attaches with each copy, all at once where that is possible; the areas, and the ways that led there. */
async function attachAll(
  loaded: readonly Loaded[],
  asynchronous: boolean,
): Promise<{ area: core.Area; via: string }[]> {
  return Promise.all(
    loaded.map(async ({ library }) => {
      const { via } = library.probe();
      return { via, area: asynchronous ? await library.attachAsync() : library.attach() };
    }),
  );
}

/** Registers and counts with each copy, meets the others, and looks at the area. */
function meet(
  who: string,
  shared: Shared,
  loaded: readonly Loaded[],
  found: readonly { area: core.Area; via: string }[],
) {
  const held = loaded.map(({ library, percpu }) => {
    const counter = new percpu.Counter('race/attached');
    counter.add(1);
    return { registration: library.register({ name: 'race' }), counter };
  });
  const all = shared.words[ALL] as number;
  arrive(shared, BARRIER, all);
  const sightings = found.map(({ area, via }, i): Sighting => {
    const { conflicted, slots } = area.inspect();
    return {
      who: `${who}.${i}`,
      id: area.id,
      via,
      rows: slots.length,
      registrations: slots.reduce((sum, { refcount }) => sum + refcount, 0),
      counted: Number(held[i]?.counter.sum()),
      conflicted,
      error: '',
    };
  });
  // Nobody counts down before everybody has looked.
  arrive(shared, BARRIER, 2 * all);
  for (const { registration, counter } of held) {
    registration.unregister();
    counter.dispose();
  }
  return sightings;
}

const failed = (who: string, error: unknown): Sighting => {
  const { message } = error as Error;
  return { who, id: 0, via: '', rows: 0, registrations: 0, counted: 0, conflicted: false, error: message };
};

/** Starts a participant; its sightings, and those of the workers below it, go to `report`. */
function start(who: string, participant: Participant, shared: Shared, report: (sightings: Sighting[]) => void) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { who, participant, shared } satisfies Start });
  worker.on('message', report);
  worker.on('error', (error) => {
    Atomics.store(shared.words, FAILED, 1);
    report([failed(who, error)]);
  });
  return new Promise<void>((resolve) => {
    worker.once('exit', () => resolve());
  });
}

async function work({ who, participant, shared }: Start): Promise<void> {
  const report = (sightings: Sighting[]): void => parentPort?.postMessage(sightings);
  const below = participant.nested.map((each, i) => start(`${who}.${i}`, each, shared, report));
  const loaded = await load(shared, participant.copies);
  Atomics.add(shared.words, READY, 1);
  reach(shared.words, GATE, 1);
  spin(participant.delay);
  try {
    const found = await attachAll(loaded, participant.asynchronous);
    Atomics.add(shared.words, ATTACHED, 1);
    Atomics.notify(shared.words, ATTACHED);
    report(meet(who, shared, loaded, found));
  } catch (error) {
    Atomics.store(shared.words, FAILED, 1);
    report([failed(who, error)]);
  }
  await Promise.all(below);
}

async function race(seed: number, urls: Shared['urls']): Promise<Report> {
  const plan = draw(seed);
  const shared: Shared = { urls, words: new Int32Array(new SharedArrayBuffer(7 * 4)) };
  const { words } = shared;
  const everybody = flat(plan.workers);
  const attaches = plan.main.when !== 'never';
  words[EARLY] = everybody.filter(({ late }) => !late).length;
  words[ALL] = everybody.length + (attaches ? 1 : 0);

  const sightings: Sighting[] = [];
  const report = (more: Sighting[]): void => {
    sightings.push(...more);
  };
  const loaded = attaches ? await load(shared, plan.main.copies) : [];
  let found: { area: core.Area; via: string }[] = [];
  const attachMain = async (): Promise<void> => {
    found = await attachAll(loaded, false);
  };

  const startAll = (late: boolean): Promise<void>[] =>
    plan.workers.flatMap((each, i) => (each.late === late ? [start(`w${i}`, each, shared, report)] : []));

  // "Before" is before some workers and after others have started: the early ones are orphans, the late ones inherit.
  const ended = startAll(false);
  if (plan.main.when === 'before') await attachMain();
  const deadline = Date.now() + BOUND_MS;
  while (Atomics.load(words, READY) < (words[EARLY] as number) && Date.now() < deadline) await pause(1);

  Atomics.store(words, GATE, 1);
  Atomics.notify(words, GATE);
  if (plan.main.when === 'while') {
    spin(plan.main.delay);
    await attachMain();
  }
  ended.push(...startAll(true));
  occupy(plan.meanwhile);
  if (plan.main.when === 'after') {
    const settled = (): boolean => words[ATTACHED] === everybody.length || words[FAILED] !== 0 || Date.now() > deadline;
    while (!settled()) await pause(1);
    await attachMain();
  }
  try {
    if (attaches) report(meet('main', shared, loaded, found));
  } catch (error) {
    report([failed('main', error)]);
  }
  await Promise.all(ended);
  const copies = everybody.reduce((sum, each) => sum + each.copies.length, attaches ? plan.main.copies.length : 0);
  return { plan, threads: words[ALL] as number, attempts: copies, sightings };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function occupy({ kind, ms }: Plan['meanwhile']): void {
  const until = performance.now() + ms;
  if (kind === 'busy') while (performance.now() < until);
  if (kind === 'blocked') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

if (isMainThread) {
  const [seed, a, b] = process.argv.slice(2) as [string, string, string];
  process.stdout.write(JSON.stringify(await race(Number(seed), { a, b })));
} else {
  await work(workerData as Start);
}
