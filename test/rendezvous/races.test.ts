// Races between the threads of a process to find or create its one area, each in a fresh process: workers/race.ts says what
// happens there. RACES sets their number, SEED the plans: race i has the plan of SEED + i, so SEED=n RACES=1 repeats one.

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Report, Sighting } from '../../workers/race.js';
import { copyUrl } from '../support/copies.js';
import { runNode } from '../support/program.js';

const RACES = Number(process.env['RACES'] ?? 300);
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** Races at a time. */
const LANES = 2;

const tally = { splits: 0, conflicts: 0, errors: 0 };
const seen: Record<string, number> = {};
const failures: string[] = [];

const count = (what: string): void => {
  seen[what] = (seen[what] ?? 0) + 1;
};

async function race(seed: number): Promise<void> {
  const file = fileURLToPath(new URL('../../build/workers/race.js', import.meta.url));
  const fail = (kind: keyof typeof tally, why: unknown): void => {
    tally[kind]++;
    failures.push(`SEED=${seed} RACES=1: ${why}`);
  };
  let report: Report;
  try {
    const { stdout, stderr } = await runNode([file, String(seed), copyUrl('a'), copyUrl('b')]);
    if (stderr !== '') fail(stderr.includes('COEXIST_ECONFLICT') ? 'conflicts' : 'errors', stderr);
    report = JSON.parse(stdout) as Report;
  } catch (error) {
    return fail('errors', error);
  }
  const { plan, sightings } = report;
  const text = JSON.stringify(report);
  const errors = sightings.filter(({ error }) => error !== '');
  if (errors.length > 0 || sightings.length !== report.attempts) return fail('errors', text);
  if (sightings.some(({ conflicted }) => conflicted)) fail('conflicts', text);
  if (sightings.some((sighting) => !isOneMemory(sighting, sightings[0], report))) fail('splits', text);
  for (const { via } of sightings) count(via);
  count(`main ${plan.main.when}`);
  count(plan.meanwhile.kind);
}

/** Every thread sees every thread's registrations and counts: each copy registers twice and counts once. */
function isOneMemory(sighting: Sighting, first: Sighting | undefined, { threads, attempts }: Report): boolean {
  const { counted, id, registrations, rows } = sighting;
  return id === first?.id && rows === threads && registrations === 2 * attempts && counted === attempts;
}

test(
  `${RACES} races, SEED=${SEED}`,
  async () => {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < RACES && failures.length < 5) await race(SEED + next++);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    const ways = Object.entries(seen)
      .sort()
      .map(([what, number]) => `${what} ${number}`);
    const { splits, conflicts, errors } = tally;
    console.log(
      `Node ${process.version}: ${next} races, ${splits} splits, ${conflicts} conflicts, ${errors} errors, SEED=${SEED} (${ways.join(', ')})`,
    );
    expect(failures).toEqual([]);
    expect({ races: next, ...tally }).toEqual({ races: RACES, splits: 0, conflicts: 0, errors: 0 });
    // Proof that the plans are what they should be; a handful of races need not have drawn everything.
    const expected = ['anchor', 'environment', 'bridge', 'create', 'idle', 'busy', 'blocked'];
    const whens = ['before', 'while', 'after', 'never'].map((when) => `main ${when}`);
    const missing = [...expected, ...whens].filter((what) => RACES >= 100 && seen[what] === undefined);
    expect(missing).toEqual([]);
  },
  30_000 + RACES * 1_000,
);
