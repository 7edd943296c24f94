// The stress command as a user runs it: a short run holds every invariant, each planted fault is seen, and arguments that
// cannot be run are refused in words.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const command = fileURLToPath(new URL('../../build/workers/stress.js', import.meta.url));
const BOUND_MS = 60_000;

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Summary {
  readonly ok: boolean;
  readonly started: number;
  readonly deaths: Record<string, number>;
  readonly reclaimed: number;
  readonly violations: number;
  readonly totals: { operations: number; registrations: number; added: number; adding: number; cuts: number };
  readonly sum: string;
  readonly interrupted: boolean;
  readonly arguments: { seed: number };
  readonly details: string[];
}

/** `signalAt`: Ctrl-C as soon as the output holds this. */
function stress(args: string[], { fault, signalAt }: { fault?: string; signalAt?: string } = {}): Promise<Outcome> {
  const env = { ...process.env, ...(fault === undefined ? {} : { COEXIST_STRESS_FAULT: fault }) };
  const child = spawn(process.execPath, [command, ...args], { env, timeout: BOUND_MS, killSignal: 'SIGKILL' });
  let [out, err, signalled] = ['', '', false];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (signalAt === undefined || signalled || !out.includes(signalAt)) return;
    signalled = true;
    child.kill('SIGINT');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

describe('a run', () => {
  test('holds every invariant while threads die, and exits with 0', { timeout: BOUND_MS }, async () => {
    const given = ['register', '--threads', '4', '--seconds', '5', '--kill', '1', '--seed', '20240817', '--json'];
    const { code, out, err } = await stress(given);
    const summary = JSON.parse(out) as Summary;
    expect({ code, err, details: summary.details }).toEqual({ code: 0, err: '', details: [] });
    expect(summary).toMatchObject({ ok: true, violations: 0, interrupted: false, arguments: { seed: 20240817 } });
    expect(summary.totals.operations).toBeGreaterThan(0);
    expect(summary.totals.registrations).toBeGreaterThan(0);
    expect(summary.started).toBeGreaterThan(4);
    expect(Object.values(summary.deaths).reduce((sum, n) => sum + n)).toBeGreaterThan(0);
    expect(summary.reclaimed).toBeGreaterThan(0);
    const { added, adding } = summary.totals;
    expect(Number(summary.sum)).toBeGreaterThanOrEqual(added);
    expect(Number(summary.sum)).toBeLessThanOrEqual(added + adding);
  });

  test('in words, prints its seed, lines while it runs and one summary line', { timeout: BOUND_MS }, async () => {
    const { code, out } = await stress(['register', '--threads', '2', '--seconds', '4', '--seed', '7']);
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toBe('stress register: 2 threads, 4 s, kill 0.2, 2 slots, seed 7');
    expect(lines[1]).toMatch(/^\d+\.\d\/4 s {2}\d+ operations \(\d+\/s\) {2}\d threads .* 0 violations/);
    expect(lines.at(-1)).toMatch(/^ran \d+\.\d s: .* threads started, .* reclaimed, .* 0 violations, seed 7$/);
  });

  test('ends cleanly with the summary after Ctrl-C', { timeout: BOUND_MS }, async () => {
    const given = ['register', '--threads', '2', '--seconds', '1000', '--seed', '8'];
    const { code, out } = await stress(given, { signalAt: 'reclaimed' });
    expect(code).toBe(130);
    expect(out.trimEnd().split('\n').at(-1)).toMatch(/^interrupted after .* 0 violations, seed 8$/);
  });
});

describe('a planted fault is seen', () => {
  const faults = [
    { fault: 'count-lost', rules: [/VIOLATION count lost: slot \d+, .*, seen by the watcher, seed 9/] },
    {
      fault: 'slot-stolen',
      rules: [/VIOLATION (slot changed hands without a new generation|live owner reclaimed|one thread owns two slots)/],
    },
    { fault: 'live-owner-reclaimed', rules: [/VIOLATION live owner reclaimed|two owners of one slot/] },
    { fault: 'slot-left', rules: [/VIOLATION slot left behind: slot \d+/] },
    { fault: 'counted-twice', rules: [/VIOLATION counter not exact: .*, seen by the watcher/] },
  ];
  for (const { fault, rules } of faults) {
    test(fault, { timeout: BOUND_MS }, async () => {
      const given = ['register', '--threads', '3', '--seconds', '30', '--kill', '0', '--slots', '8', '--seed', '9'];
      const { code, out } = await stress(given, { fault });
      expect(code).toBe(1);
      for (const rule of rules) expect(out).toMatch(rule);
      expect(out).toMatch(/^ran .* [1-9]\d* violations, seed 9$/m);
    });
  }

  test('with the slot, its generation, its owner and a dump of the row', { timeout: BOUND_MS }, async () => {
    const given = ['register', '--threads', '3', '--seconds', '30', '--kill', '0', '--slots', '8', '--seed', '9'];
    const { out } = await stress(given, { fault: 'count-lost' });
    expect(out).toMatch(/VIOLATION .*: slot (\d), .*\n {2}cpu_id_start=.* mm_cid=\1 owner=\d+ generation=\d+ .*/);
  });
});

describe('arguments', () => {
  const refusals: [string[], string][] = [
    [
      [],
      'no topic given; topics: register, mutex, rwlock, once, condvar, semaphore, barrier, ring, counter, percpu, pool, singleton, call, module',
    ],
    [
      ['registre'],
      'unknown topic "registre"; topics: register, mutex, rwlock, once, condvar, semaphore, barrier, ring, counter, percpu, pool, singleton, call, module',
    ],
    [['register', 'claim'], 'one topic at a time, but "claim" follows "register"'],
    [['register', '--threads', '0'], '--threads is "0", expected an integer from 1 to 1000'],
    [['register', '--threads', '2.5'], '--threads is "2.5", expected an integer from 1 to 1000'],
    [['register', '--seconds', 'soon'], '--seconds is "soon", expected a number from 1 to 86400'],
    [['register', '--kill', '1.5'], '--kill is "1.5", expected a number from 0 to 1'],
    [['register', '--seed', '4294967296'], '--seed is "4294967296", expected an integer from 0 to 4294967295'],
    [['register', '--sed', '1'], "Unknown option '--sed'"],
  ];
  for (const [given, message] of refusals) {
    test(`refused: ${given.join(' ') || 'none'}`, async () => {
      expect(await stress(given)).toEqual({
        code: 2,
        out: '',
        err: `stress: ${message}\nnpm run stress -- --help says more.\n`,
      });
    });
  }

  test('--help lists topics and options', async () => {
    const { code, out } = await stress(['--help']);
    expect(code).toBe(0);
    for (const word of ['register', '--threads', '--seconds', '--kill', '--seed', '--slots', '--json']) {
      expect(out).toContain(word);
    }
  });
});
