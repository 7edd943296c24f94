// The selftest command as a user runs it: a handful of sets hold, arguments that cannot be run are refused in words, and each planted
// fault is found, with the set and the seed that found it.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const command = fileURLToPath(new URL('../../build/workers/selftest.js', import.meta.url));
const BOUND_MS = 60_000;
const SEED = '20250817';

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Summary {
  readonly ok: boolean;
  readonly seed: number;
  readonly planned: number;
  readonly runs: number;
  readonly failed: number;
  readonly deaths: number;
  readonly basic: { name: string; wrong: string[] }[];
  readonly results: {
    ok: boolean;
    sum: number;
    expected: number;
    wrong: string[];
    deaths: number;
    flips: number;
    description: string;
    again: string;
    set: Record<'mode' | 'index' | 'build' | 'steps' | 'act', string>;
  }[];
}

function selftest(args: string[], fault?: string): Promise<Outcome> {
  const env = { ...process.env, ...(fault === undefined ? {} : { COEXIST_SELFTEST_FAULT: fault }) };
  const child = spawn(process.execPath, [command, ...args], { env, timeout: BOUND_MS, killSignal: 'SIGKILL' });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

/** One run with the kernel's options. */
async function single(
  args: string,
  fault?: string,
): Promise<{ code: number | null; summary: Summary; run: Summary['results'][0] }> {
  const { code, out, err } = await selftest([...args.split(' '), '--seed', SEED, '--json'], fault);
  expect(err).toBe('');
  const summary = JSON.parse(out) as Summary;
  return { code, summary, run: summary.results[0]! };
}

describe('sets hold', () => {
  test('the basic tests', { timeout: BOUND_MS }, async () => {
    const { code, out } = await selftest(['--only', 'basic,ops', '--threads', '4', '--scale', '0.02', '--json']);
    const summary = JSON.parse(out) as Summary;
    expect(summary.basic.map(({ name, wrong }) => ({ name, wrong }))).toEqual(
      ['registered', 'CPU number', 'unregistered'].map((name) => ({ name, wrong: [] })),
    );
    expect(summary.results.map(({ sum }) => sum).slice(0, 4)).toEqual([400, 400, 400, 400]);
    expect({ code, failed: summary.failed, runs: summary.runs }).toEqual({ code: 0, failed: 0, runs: 6 });
  });

  const singles: [string, string, { sum?: number; deaths?: number }][] = [
    ['a spinlock whose owners are killed', '-T s -t 3 -r 200 -9 -1 -m 2 -k --kills 3', { sum: 600, deaths: 3 }],
    ['a list, with threads killed as they hold the word', '-T l -t 3 -r 200 -4 -1 -m 1 -k --kills 2', { deaths: 2 }],
    ['the same behind the commit, on the twin', '-T l -t 3 -r 200 -6 -1 -m 1 -k --kills 3 --twin', { deaths: 3 }],
    ['a buffer by slot, compared twice', '-T b -M -t 3 -r 200 -5 200 --index slot --compare-twice', { sum: 15_150 }],
    ['records, with threads killed before the commit', '-T m -t 3 -r 200 -5 -1 -m 1 -k --kills 2', { deaths: 2 }],
    ['records on the twin, behind the commit', '-T m -M -t 3 -r 200 -6 -1 -m 1 -k --kills 2 --twin', { deaths: 2 }],
    ['additions, while threads sleep', '-T i -t 3 -r 100 -8 -1 -m 4 -s 1 --compare-twice', { sum: 300 }],
    ['fences, with threads killed inside', '-T r -t 3 -r 300 -4 -1 -m 1 -k --kills 3', { sum: 900, deaths: 3 }],
  ];
  for (const [name, args, { sum, deaths = 0 }] of singles) {
    test(name, { timeout: BOUND_MS }, async () => {
      const { code, summary, run } = await single(args);
      expect(run.wrong).toEqual([]);
      expect({ code, ok: summary.ok, deaths: run.deaths }).toEqual({ code: 0, ok: true, deaths });
      expect(run.sum).toBe(sum ?? run.expected);
      if (run.set.mode === 'r') expect(run.flips).toBeGreaterThan(0);
    });
  }
});

describe('a broken library is found out', () => {
  const faults: [string, string, RegExp][] = [
    [
      'fence-returns',
      '-T r -t 3 -r 100 -5 -1 -m 1 -s 1',
      /counter [AB] of shard \d+ went from \d+ to \d+ behind the fence/,
    ],
    ['add-lost', '-T i -t 4 -r 1000', /the sum is \d+, expected 4000/],
    ['copy-torn', '-T m -t 2 -r 100', /torn record/],
    ['entry-lost', '-T b -t 4 -r 200 -7 -1 -m 3 -s 1', /node at byte \d+/],
    ['word-not-held', '-T l -t 12 -r 200 -7 -1 -m 1 -s 1', /node|circle/],
    ['compare-skipped', '-T s -t 4 -r 1000', /the lock at byte \d+ is 0 while it is held|the sum is/],
    [
      'always-aborted',
      '-T i -t 2 -r 100 --deadline 2',
      /not over within 2000 ms: thread 0 is running with 0 of 100 .* at add/,
    ],
  ];
  for (const [fault, args, found] of faults) {
    test(fault, { timeout: BOUND_MS }, async () => {
      const { code, summary, run } = await single(args, fault);
      expect({ code, ok: summary.ok, failed: summary.failed }).toEqual({ code: 1, ok: false, failed: 1 });
      expect(run.wrong.join('\n')).toMatch(found);
      // What it takes to see it again.
      expect(run.again).toContain(`--seed ${SEED}`);
      expect(run.again).toContain(`-T ${run.set.mode}`);
    });
  }

  test('and said in words', { timeout: BOUND_MS }, async () => {
    const { code, out } = await selftest(['-T', 'm', '-t', '2', '-r', '100', '--seed', SEED], 'copy-torn');
    expect(code).toBe(1);
    expect(out).toMatch(/^1\/1 memcpy .* FAILED/m);
    expect(out).toMatch(/again: npm run selftest -- -T m -t 2 -r 100 --index cpu --seed 20250817/);
    expect(out).toMatch(/1 failed, seed 20250817/);
  });
});

describe('the runs', () => {
  const LINE = /^(\S.*?) +(cpu|slot) +(plain|twice|production) +(wasm|twin) +(.*?) +\d+ x \d+$/;
  const listed = async (...args: string[]): Promise<string[][]> => {
    const { code, out } = await selftest(['--list', '--only', 's,l,b,bM,m,mM,i,r', '--seed', SEED, ...args]);
    expect(code).toBe(0);
    const [, ...lines] = out.trimEnd().split('\n');
    return lines.map((line) => LINE.exec(line)?.slice(1) ?? [line]);
  };
  const kindOf = (injection: string): string =>
    injection.includes('loops') ? 'loops' : (injection.split(' ')[0] as string);

  test('are by default every test with every index, build, implementation and kind of injection', async () => {
    const rows = await listed();
    expect(rows.length).toBeGreaterThanOrEqual(200);
    const cells = rows.map(([title, index, build, steps, injection]) =>
      [title, index, build, steps, kindOf(injection as string)].join(),
    );
    expect(new Set(cells).size).toBe(8 * 2 * 2 * 2 * 5);
    const injections = new Set(rows.map((row) => row[4]));
    const points = (first: number, last: number): number[] =>
      Array.from({ length: last - first + 1 }, (_, k) => first + k);
    for (const point of points(1, 9)) expect(injections).toContain(`10000 loops at ${point}`);
    for (const point of points(1, 6)) expect(injections).toContain(`kill 100 % at ${point}`);
    for (const point of points(7, 9)) {
      for (const act of ['yield', 'kill', 'sleep']) {
        for (const share of [25, 50, 100]) expect(injections).toContain(`${act} ${share} % at ${point}`);
      }
    }
  });

  test('are the same for the same seed', async () => {
    expect(await listed()).toEqual(await listed());
  });

  test("are with --full the kernel's 2,048, and 288 with kills inside", async () => {
    const rows = (await listed('--full')).map((row) => row.join());
    expect(rows).toHaveLength(2048 + 288);
    expect(new Set(rows).size).toBe(2048 + 288);
    const outside = rows.filter((row) => !/kill 100 % at [1-6]$/.test(row));
    expect(outside).toHaveLength(2048);
    for (const title of [
      'spinlock',
      'list',
      'buffer',
      'buffer, release',
      'memcpy',
      'memcpy, release',
      'increment',
      'membarrier',
    ]) {
      expect(outside.filter((row) => row.startsWith(`${title},cpu`) || row.startsWith(`${title},slot`))).toHaveLength(
        256,
      );
    }
  });
});

describe('arguments that cannot be run', () => {
  const refused: [string, string][] = [
    ['-T x', '-T x is no test; -T is one of s, p, l, b, m, i, r; -M goes with b and m'],
    ['-T s -y -k', 'one of -y, -k and -s at a time, but yield and kill are asked for'],
    ['-T s -t 0', '-t is "0", expected an integer from 1 to 1000'],
    ['-T l -3 10 --production', '--production has no injection points 1 to 6'],
    ['--only z', '--only names "z", expected some of basic, ops, s, l, b, bM, m, mM, i, r'],
    ['--seed -1', "Option '--seed' argument is ambiguous"],
    ['--index cpu', '--index is of one run: it needs -T'],
  ];
  for (const [args, message] of refused) {
    test(args, async () => {
      const { code, out, err } = await selftest(args.split(' '));
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err.split('\n')[0]).toBe(`selftest: ${message}`);
    });
  }
});
