// What a thread of stress topic module knows of the modules that it has: which instances were evaluated, and whether their initialisers ran. The
// words of the ledger say for each generation of a module whether its process-wide initialiser runs or has run, in whichever thread.

import { setTimeout as sleep } from 'node:timers/promises';
import type { DataLedger } from './stress-data-ledger.js';
import type { ThreadContext } from './stress-data-topic.js';
import { BROKEN, BUILDS, FACE_FUNCTIONS, faceOf, MODULES, NOTES } from './stress-module-files.js';

const NAMES: readonly string[] = [...MODULES, ...BROKEN];
/** Generations that are told apart, for each module. */
const WINDOW = 2 ** 14;
const COUNTS_AT = WINDOW * (MODULES.length + BROKEN.length);
const COUNTS = ['loaded', 'already', 'absent', 'refused', 'failed', 'initialised'] as const;
/** Of a word: nobody has begun; the thread, + 1, above this bit; or done. */
const RUNNING = 1;
const DONE = 2;
const THREAD_SHIFT = 2;

const STUBS = -1;
const DAWDLES = 0.5;
const DAWDLE_MS = 3;

type Face = Record<(typeof FACE_FUNCTIONS)[number], () => number>;
interface Instance {
  readonly name: string;
  readonly build: number;
  ran: boolean;
}

export type Instances = ReturnType<typeof createInstances>;

let instances: Instances | undefined;

/** Those of this thread: modules stay when a loader is disposed of. */
export function openInstances(context: ThreadContext): Instances {
  instances ??= createInstances(context);
  return instances;
}

function createInstances({ me, random, ledger, apis }: ThreadContext) {
  const api = apis[0]!;
  const { stub } = api;
  const evaluated: Instance[] = [];
  const complain = (text: string): void => ledger.complain(`thread ${me}: ${text}`);
  const faces = new Map(NAMES.map((name) => [name, defineFace(name)]));

  function defineFace(name: string): Face {
    const functions = Object.fromEntries(FACE_FUNCTIONS.map((one) => [one, stub.value(STUBS)]));
    return api.defineInterface(faceOf(name), { version: 1, functions }) as unknown as Face;
  }

  /** The process-wide initialiser of a module. */
  async function once(name: string): Promise<void> {
    const generation = api.inspectModules().find((module) => module.name === name)?.generation;
    if (generation === undefined) {
      complain(`${name} is initialised, and no thread has it`);
      return;
    }
    const at = NAMES.indexOf(name) * WINDOW + (generation % WINDOW);
    const mine = ((me + 1) << THREAD_SHIFT) | RUNNING;
    const before = Atomics.exchange(ledger.free, at, mine);
    const other = (before >>> THREAD_SHIFT) - 1;
    if (before === DONE) complain(`generation ${generation} of ${name} is initialised twice`);
    // One that has been told to die, or is about to end, may have been cut off inside.
    else if (other >= 0 && other !== me && ledger.get(other, 'command') === 0 && ledger.get(other, 'leaving') === 0) {
      complain(`generation ${generation} of ${name} is initialised here and by thread ${other}`);
    }
    if (random.chance(DAWDLES)) await sleep(random.below(DAWDLE_MS + 1));
    Atomics.store(ledger.free, at, DONE);
    outcomes.count(ledger, 'initialised');
  }

  const notes = api.defineInterface(NOTES, {
    version: 1,
    functions: { evaluated: stub.value(0), once: stub.noop(), ran: stub.noop() },
  });
  notes.implement({
    /** The number of the new instance. */
    evaluated: (name: string, build: number): number => evaluated.push({ name, build, ran: false }) - 1,
    once,
    ran(name: string, number: number): void {
      const instance = evaluated[number];
      if (instance?.name !== name || instance.ran) complain(`instance ${number} of ${name} is initialised twice`);
      else instance.ran = true;
    },
  } as never);

  const kept = (name: string): number => ledger.kept(me, NAMES.indexOf(name)) - 1;

  /** What all functions of a module's interface say: the instance; anything else is none. */
  function asked(name: string): number | undefined {
    const face = faces.get(name)!;
    const [first, ...others] = FACE_FUNCTIONS.map((one) => face[one]());
    if (others.some((number) => number !== first)) complain(`the interface of ${name} is of ${[first, ...others]}`);
    return first === STUBS ? undefined : first;
  }

  const self = {
    once,
    /** The build that this thread has of a module. */
    buildOf: (name: string): number | undefined => (kept(name) < 0 ? undefined : kept(name)),

    /** What a load gave. */
    arrived(name: string, build: number, exports: unknown): void {
      const number = asked(name);
      const instance = number === undefined ? undefined : evaluated[number];
      if (instance === undefined) {
        complain(`${name} is loaded, and its interface is still stubs`);
        return;
      }
      if (exports !== undefined && (exports as { instance?: unknown }).instance !== number) {
        complain(`${name}: what it exports is of another instance than its interface`);
      }
      if (!instance.ran) complain(`${name} is loaded, and its initialiser has not run`);
      if (instance.name !== name || instance.build !== build) {
        complain(`${name} of build ${build} is asked for, and there is ${instance.name} of build ${instance.build}`);
      }
      const before = kept(name);
      if (before >= 0 && before !== build) complain(`${name} was of build ${before}, and is of build ${build}`);
      ledger.keep(me, NAMES.indexOf(name), build + 1);
      const k = NAMES.indexOf(name);
      // What it depends on has come with it.
      if (k % 2 === 1 && k < MODULES.length) self.arrived(NAMES[k - 1] as string, build, undefined);
    },

    /** A refusal because of another build: what this thread has itself is no other. */
    elsewhere(name: string, build: number): void {
      if (kept(name) === build) complain(`${name} of build ${BUILDS[build]} is here, and refused for another`);
    },

    /** Every call reaches one instance, the one that is kept, or stubs. */
    call(name: string): void {
      const number = asked(name);
      const instance = number === undefined ? undefined : evaluated[number];
      if ((instance?.build ?? -1) !== kept(name)) {
        complain(`calls of ${name} reach build ${instance?.build}, and build ${kept(name)} is loaded`);
      }
    },

    /** Behind a load that failed or was refused: nothing of it is there. */
    stubsOf(name: string): void {
      if (asked(name) !== undefined) complain(`${name} cannot be loaded, and its interface is not stubs`);
    },
  };
  return self;
}

/** How often what happened, in all threads. */
export const outcomes = {
  count(ledger: DataLedger, what: (typeof COUNTS)[number]): void {
    Atomics.add(ledger.free, COUNTS_AT + COUNTS.indexOf(what), 1);
  },
};

export function said(ledger: DataLedger, most: number): { text: string; more: object } {
  const counts = Object.fromEntries(COUNTS.map((what, k) => [what, Atomics.load(ledger.free, COUNTS_AT + k)]));
  const text = `${counts['loaded']} loaded, ${counts['refused']} refused, ${counts['failed']} failed, ${counts['initialised']} initialised for the process, a module in ${most} threads at most`;
  return { text, more: { ...counts, most } };
}
