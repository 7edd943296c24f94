// The arguments of the stress command, checked: every refusal says what was passed and what would do.

import { parseArgs } from 'node:util';
import { LIMITS } from 'coexist/abi';

export interface StressArguments {
  readonly topic: string;
  readonly threads: number;
  readonly seconds: number;
  /** Share of the running threads that die in each second. */
  readonly kill: number;
  readonly seed: number;
  readonly slots: number;
  /** Operations after which the run ends. */
  readonly operations: number | undefined;
  /** Seconds that a thread may be in one operation. */
  readonly bound: number;
  readonly json: boolean;
}

/** What was typed cannot be run; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const TOPICS = {
  register: 'threads register and unregister with two copies of the library while others die',
  mutex: 'threads exclude each other with a Mutex while others die, holding it too',
  rwlock: 'the same with an RwLock, one turn in four writes',
  once: 'threads meet at many Onces while initialisers die',
  condvar: 'threads put into a short queue and take from it, each waiting for the other kind',
  semaphore: 'threads take permits while others die with theirs',
  barrier: 'threads go through phases together; a death would break the barrier, so nobody dies',
  ring: 'threads write records while they die, and so do the two that drain them',
  counter: 'threads add to counters, histograms and gauges while others die',
  percpu: 'nodes go from lists and buffers to hands and back, by CPU and by slot, while threads die',
  pool: 'threads allocate, fill, look at and free items while others die with theirs',
  singleton: 'threads make, hold, lend and let go of singletons while others die with theirs, or making them',
  call: 'threads call each other, blocking and not, while callers and servers die',
  module: 'threads load modules of two builds, call their interfaces, and die in the middle of loads',
} as const;
const BOUNDS = {
  threads: { least: 1, most: 1000, whole: true, standard: 50 },
  seconds: { least: 1, most: 86_400, whole: false, standard: 20 },
  kill: { least: 0, most: 1, whole: false, standard: 0.2 },
  seed: { least: 0, most: 2 ** 32 - 1, whole: true, standard: undefined },
  operations: { least: 1, most: 2 ** 31 - 1, whole: true, standard: undefined },
  bound: { least: 1, most: 3600, whole: false, standard: 30 },
  slots: { least: LIMITS.slotCapacity.min, most: LIMITS.slotCapacity.max, whole: true, standard: undefined },
} as const;

/** Of all but register: as few as make every way of meeting likely. */
const FEW_THREADS = 4;
/** Where a number of operations is given, and no time. */
const LONG_SECONDS = 3600;

/** Fewer than threads: a claim that finds the table full has to sweep, and to refuse. */
const SLOTS_PER_THREAD = 0.8;

const topicList = Object.entries(TOPICS)
  .map(([name, summary]) => `  ${name.padEnd(9)}  ${summary}`)
  .join('\n');

export const helpFor = (command: string): string => `Usage: ${command} TOPIC [options]

Topics:
${topicList}

Options:
  --threads N     threads kept alive, 1 to 1000 (register 50, ring 4 writers, the others 4)
  --seconds S     length of the run, 1 to 86400 (20; with --operations 3600)
  --operations N  all but register (ring: records): end after so many, 1 to 2147483647
  --kill P        share of the running threads that die in each second, 0 to 1 (0.2; barrier 0)
  --bound S       longest time that a thread may be in an operation (ring: all may go without one), 1 to 3600 (30)
  --seed N        seed of every random choice, 0 to 4294967295 (random; always printed)
  --slots N       register: slots of the area, 1 to 16384 (4 for every 5 threads, so that the table gets full)
  --json          print one JSON object at the end and nothing else
  --help          print this

Exits with 0 if every invariant held, 1 if one did not, 2 for bad arguments, 130 after Ctrl-C.`;

/**
 * @returns undefined where help was asked for
 * @throws UsageError
 */
export function parseArguments(args: readonly string[]): StressArguments | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const topics = Object.keys(TOPICS).join(', ');
  const [topic, ...rest] = positionals;
  if (topic === undefined) throw new UsageError(`no topic given; topics: ${topics}`);
  if (!Object.hasOwn(TOPICS, topic)) throw new UsageError(`unknown topic "${topic}"; topics: ${topics}`);
  if (rest.length > 0) throw new UsageError(`one topic at a time, but "${rest.join(' ')}" follows "${topic}"`);

  const standardThreads = topic === 'register' ? BOUNDS.threads.standard : FEW_THREADS;
  const threads = bounded('threads', values.threads) ?? standardThreads;
  const operations = bounded('operations', values.operations);
  const kill = bounded('kill', values.kill) ?? (topic === 'barrier' ? 0 : BOUNDS.kill.standard);
  if (topic === 'barrier' && kill > 0) throw new UsageError(`--kill is "${values.kill}", but a death breaks a barrier`);
  return {
    topic,
    threads,
    seconds: bounded('seconds', values.seconds) ?? (operations === undefined ? BOUNDS.seconds.standard : LONG_SECONDS),
    operations,
    bound: bounded('bound', values.bound) ?? BOUNDS.bound.standard,
    kill,
    seed: bounded('seed', values.seed) ?? Math.floor(Math.random() * 2 ** 32),
    slots: bounded('slots', values.slots) ?? Math.ceil(threads * SLOTS_PER_THREAD),
    json: values.json === true,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        threads: text,
        seconds: text,
        operations: text,
        kill: text,
        bound: text,
        seed: text,
        slots: text,
        json: flag,
        help: flag,
      },
    });
  } catch (error) {
    // Behind the first sentence Node explains how to pass values that look like options; none is valid here.
    throw new UsageError((error as Error).message.split(/\. |\.?\n/)[0]);
  }
}

function bounded(name: keyof typeof BOUNDS, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const { least, most, whole } = BOUNDS[name];
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  throw new UsageError(
    `--${name} is "${text}", expected ${whole ? 'an integer' : 'a number'} from ${least} to ${most}`,
  );
}
