// The arguments of the selftest command, checked. Options of one run are those of the kernel's param_test.

import { parseArgs } from 'node:util';
import { MODES } from './selftest-matrix.js';
import { type Act, INNER_POINTS, type ModeName, NOWHERE, type ParamSet, POINTS } from './selftest-set.js';

export interface SelftestArguments {
  readonly full: boolean;
  readonly json: boolean;
  readonly list: boolean;
  readonly seed: number;
  /** Undefined: each part's own. */
  readonly threads: number | undefined;
  readonly repetitions: number | undefined;
  readonly scale: number;
  readonly only: ReadonlySet<string>;
  /** The one run that was asked for. */
  readonly single: ParamSet | undefined;
  readonly deadlineMs: number | undefined;
}

/** What was typed cannot be run; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const PARTS = ['basic', 'ops', ...MODES] as const;

export const HELP = `Usage: npm run selftest -- [options]

  --full            the whole matrix of the kernel's script, 2,048 runs, and every kill inside an operation
  --only A,B,...    parts to run: ${PARTS.join(', ')}
  --threads N       threads of each run, 1 to 1000 (basic operations 200; 12, with --full 6 for each CPU)
  --repetitions N   of each thread, 1 to 10000000 (1000, without --full 200 where threads sleep or are killed)
  --scale F         multiplies the repetitions that are not given, 0.001 to 1000
  --deadline S      seconds that one run may take, 1 to 86400 (60, with --full 300; basic operations 600)
  --seed N          seed of every random choice, 0 to 4294967295 (random; always printed)
  --list            print the runs, and do none
  --json            print one JSON object at the end and nothing else
  --help            print this

One run of the parameter test, with the kernel's options:
  -T TEST           s spinlock, l list, b buffer, m memcpy, i increment, r membarrier (p: spinlock by PerCpuLock)
  -M                b and m: commit with release order
  -t N, -r N        threads (200), repetitions (5000)
  -1 N ... -9 N     loops at an injection point; -1: act there at every passage that -m names
  -m N              every Nth passage counts
  -y, -k, -s MS     act: yield, kill, sleep
  --kills N         threads that are killed, at most (4)
  --index I         cpu or slot (cpu)
  --compare-twice   on the build that compares a second time inside critical sections
  --production      on the library as it is published, which has no injection points inside
  --twin            on the JavaScript twin
  --shuffle         yield between taking something out and putting it back

Exits with 0 if every run held, 1 if one did not, 2 for bad arguments.`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const VALUED = 'Trtms123456789';
/** Of one run. */
const SINGLE = {
  ...{ T: text, M: flag, t: text, r: text, m: text, y: flag, k: flag, s: text, kills: text, index: text },
  ...{ '1': text, '2': text, '3': text, '4': text, '5': text, '6': text, '7': text, '8': text, '9': text },
  ...{ 'compare-twice': flag, production: flag, twin: flag, shuffle: flag },
} as const;
const OPTIONS = {
  ...{ full: flag, only: text, threads: text, repetitions: text, scale: text, deadline: text, seed: text },
  ...{ json: flag, list: flag, help: flag },
  ...SINGLE,
} as const;

/** @returns undefined where help was asked for. @throws UsageError */
export function parseArguments(given: readonly string[]): SelftestArguments | undefined {
  const values = parse(given);
  if (values.help) return undefined;
  const number = (
    name: string,
    value: string | undefined,
    least: number,
    most: number,
    whole = true,
  ): number | undefined => {
    if (value === undefined) return undefined;
    const parsed = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    if (parsed >= least && parsed <= most && (!whole || Number.isInteger(parsed))) return parsed;
    throw new UsageError(
      `${name} is "${value}", expected ${whole ? 'an integer' : 'a number'} from ${least} to ${most}`,
    );
  };
  for (const name of Object.keys(SINGLE)) {
    if (values.T === undefined && values[name as 'M'] !== undefined) {
      throw new UsageError(`${name.length === 1 ? '-' : '--'}${name} is of one run: it needs -T`);
    }
  }
  const seed = number('--seed', values.seed, 0, 2 ** 32 - 1) ?? Math.floor(Math.random() * 2 ** 32);
  const deadline = number('--deadline', values.deadline, 1, 86_400);
  const only = new Set(values.only?.split(',') ?? PARTS);
  for (const part of only) {
    if (!(PARTS as readonly string[]).includes(part)) {
      throw new UsageError(`--only names "${part}", expected some of ${PARTS.join(', ')}`);
    }
  }
  const threads = number('--threads', values.threads, 1, 1000);
  const repetitions = number('--repetitions', values.repetitions, 1, 10_000_000);
  return {
    full: values.full === true,
    json: values.json === true,
    list: values.list === true,
    seed,
    threads,
    repetitions,
    scale: number('--scale', values.scale, 0.001, 1000, false) ?? 1,
    only,
    deadlineMs: deadline === undefined ? undefined : deadline * 1000,
    single: values.T === undefined ? undefined : single(),
  };

  function single(): ParamSet {
    const mode = `${values.T}${values.M ? 'M' : ''}`;
    if (mode !== 'p' && !(MODES as readonly string[]).includes(mode)) {
      throw new UsageError(
        `-T ${values.T}${values.M ? ' -M' : ''} is no test; -T is one of s, p, l, b, m, i, r; -M goes with b and m`,
      );
    }
    const loops = [...NOWHERE];
    for (let point = 1; point <= POINTS; point++) {
      const name = String(point) as '1';
      loops[point] = number(`-${point}`, values[name], -1, 1_000_000_000) ?? 0;
    }
    const sleepMs = number('-s', values.s, 0, 10_000) ?? 0;
    const acts: Act[] = [];
    if (values.y) acts.push('yield');
    if (values.k) acts.push('kill');
    if (sleepMs > 0) acts.push('sleep');
    if (acts.length > 1)
      throw new UsageError(`one of -y, -k and -s at a time, but ${acts.join(' and ')} are asked for`);
    const build = values['compare-twice'] ? 'twice' : values.production ? 'production' : 'plain';
    if (build === 'production' && loops.some((count, point) => count !== 0 && point <= INNER_POINTS)) {
      throw new UsageError(`--production has no injection points 1 to ${INNER_POINTS}`);
    }
    const index = values.index ?? 'cpu';
    if (index !== 'cpu' && index !== 'slot') throw new UsageError(`--index is "${index}", expected cpu or slot`);
    const act = acts[0] ?? 'none';
    return {
      mode: mode as ModeName,
      index,
      build,
      steps: values.twin ? 'twin' : 'wasm',
      loops,
      modulo: number('-m', values.m, 0, 1_000_000) ?? 0,
      act,
      sleepMs,
      deaths: act === 'kill' ? (number('--kills', values.kills, 0, 1000) ?? 4) : 0,
      threads: number('-t', values.t, 1, 1000) ?? threads ?? 200,
      repetitions: number('-r', values.r, 1, 10_000_000) ?? repetitions ?? 5000,
      shuffles: act === 'yield' || values.shuffle === true,
      seed,
    };
  }
}

/** Options of one letter are the kernel's; here each is written as a long one, since values as in "-7 -1" would be taken for options. */
function parse(given: readonly string[]) {
  const args: string[] = [];
  for (let k = 0; k < given.length; k++) {
    const [name, value] = [given[k] as string, given[k + 1]];
    if (!/^-\w$/.test(name)) args.push(name);
    else if (VALUED.includes(name[1] as string) && value !== undefined) args.push(`-${name}=${given[++k]}`);
    else args.push(`-${name}`);
  }
  try {
    return parseArgs({ args, options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError((error as Error).message.split(/\. |\.?\n/)[0]);
  }
}
