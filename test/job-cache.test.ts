// The job `cache`: the run as its users see it, and its checks on evidence that is sound and on evidence that is not.

import { afterEach, expect, test } from 'vitest';
import { checksOf, type Evidence, type Pass } from '../examples/job/cache/checks.js';
import { createTally } from '../examples/job/cache/tally.js';
import type { Result } from '../examples/job/cache/worker.js';
import { Folder, runJob } from './support/job.js';

const SEED = 20_260_103;
const folders: Folder[] = [];
const folder = (): Folder => {
  const made = new Folder();
  folders.push(made);
  return made;
};

afterEach(() => {
  for (const made of folders.splice(0)) made.remove();
});

const CHECKS = [
  'every file has exactly one result in each pass',
  'results equal an independent single-threaded reading',
  'workers killed while busy, [1-9]\\d* of them hosting the cache',
  'the second pass asked what the first had left',
  'the limiter let',
  'one bucket was made, lived through every death, and is gone',
  'one database at a time',
  'no slot is registered at the end',
  'one area id',
];

test('every check holds while workers are killed, the host of the cache among them', async () => {
  const { path } = folder()
    .fill(40, 20_000, SEED)
    .write('empty.txt', '')
    .write('one.txt', 'a line\nanother\n')
    .write('copies/one.txt', 'a line\nanother\n')
    .link('link', 'empty.txt');
  const args = ['--job', 'cache', '--dir', path, '--workers', '3', '--kill', '3', '--seed', String(SEED)];
  const { code, stdout, stderr } = await runJob(args);
  expect(stderr).toBe('');
  const lines = stdout.split('\n');
  const checks = lines.filter((line) => /^(ok {4}|FAILED)/.test(line));
  expect(checks).toHaveLength(CHECKS.length);
  checks.forEach((line, k) => {
    expect(line).toMatch(/^ok/);
    expect(line).toMatch(new RegExp(CHECKS[k] as string));
  });
  expect(code).toBe(0);
  expect(stdout).toContain(`3 workers, 3 kills, seed ${SEED}; 2000 files a second at most`);
  expect(lines.filter((line) => /^killed thread \d+ \(slot \d+, generation \d+/.test(line))).toHaveLength(3);
  expect(stdout).toMatch(/^\.txt +3 +30 +4 +1 +15$/m);
  const rows = lines.slice(lines.findIndex((line) => line.startsWith('slot  generation  thread')) + 1);
  const threads = rows.slice(0, rows.indexOf('')).map((line) => line.trim().split(/ {2,}/));
  expect(threads).toHaveLength(6);
  const sum = (column: number): number => threads.reduce((total, row) => total + Number(row[column]), 0);
  expect(sum(3) + sum(4)).toBe(2 * 43);
}, 60_000);

test('arguments that it cannot take, a folder without files, and an interrupt', async () => {
  const wrong = await runJob(['--job', 'cache', '--rate', '0']);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--rate is "0"')]);
  const empty = await runJob(['--job', 'cache', '--dir', folder().path]);
  expect([empty.code, empty.stderr]).toEqual([0, '']);
  expect(empty.stdout).toContain('nothing to do');
  // At one a second behind the first hundred, it would take minutes.
  const { path } = folder().fill(300, 10, SEED);
  const slow = await runJob(['--job', 'cache', '--dir', path, '--rate', '1', '--kill', '0'], (line, kill) => {
    if (line.includes(' 10 %')) kill();
  });
  expect([slow.code, slow.stderr]).toEqual([130, '']);
  expect(slow.stdout).toContain('interrupted');
}, 60_000);

const pass = (change: Partial<Pass>): Pass => ({
  settled: 3,
  withResult: 3,
  hits: 0,
  misses: 3,
  failures: 0,
  tokens: 3,
  again: 1,
  deaths: 0,
  before: 0,
  after: 2,
  stale: 0,
  ...change,
});
const first = pass({});
const second = pass({ hits: 2, misses: 1, tokens: 1, again: 0, before: 2, after: 3 });
const sound: Evidence = {
  files: 3,
  passes: [first, second],
  kill: 1,
  kills: [{ slot: 1, generation: 1, host: true }],
  comparison: { equal: 3, wrong: [], changed: 0, unreadable: 0 },
  seconds: 1,
  limiter: { rate: 10, burst: 2, available: 0, taken: 5n, refused: 0n },
  burst: 2,
  bucket: { created: true, generations: [0, 0, 0], end: { phase: 'EMPTY', generation: 1, total: 0 } },
  cache: { generation: 1, references: 3, workers: 2, end: { phase: 'EMPTY', references: 0 } },
  hellos: [{ areaId: 7 }],
  final: { areaId: 7, capacity: 64, highWater: 2, conflicted: false, conflict: 0, slots: [] },
  copies: ['/a', '/b', '/c'],
};
const row = {
  slot: 1,
  generation: 1,
  threadId: 1,
  osTid: 1,
  alive: false,
  cpuIdStart: 1,
  cpuId: 1,
  refcount: 2,
  flags: 0,
  holders: [],
  registeredTotal: 2,
};

test('each check holds on sound evidence, and fails on evidence that breaks it', () => {
  expect(checksOf(sound).map(({ ok }) => ok)).toEqual(Array(CHECKS.length).fill(true));
  const { limiter, bucket, cache } = sound;
  const broken: [string, Partial<Evidence>, number[]][] = [
    ['a result twice', { passes: [pass({ settled: 4 }), second] }, [0]],
    ['a file without', { passes: [first, { ...second, withResult: 2 }] }, [0]],
    ['wrong results', { comparison: { equal: 2, wrong: ['a: sha256'], changed: 0, unreadable: 0 } }, [1]],
    ['fewer kills', { kill: 2 }, [2]],
    ['another death', { passes: [pass({ deaths: 1 }), second] }, [2]],
    ['an entry that was not hit', { passes: [first, { ...second, before: 3 }] }, [3]],
    ['a hit on nothing', { passes: [first, { ...second, before: 1 }] }, [3]],
    ['an entry lost', { passes: [first, { ...second, after: 2 }] }, [3]],
    ['tokens from nowhere', { limiter: { ...limiter, taken: 3n } }, [4]],
    ['tokens that nobody used', { limiter: { ...limiter, taken: 6n } }, [4]],
    ['too fast', { seconds: 0.1 }, [4]],
    ['a bucket made twice', { bucket: { ...bucket, generations: [0, 1, 1] } }, [5]],
    ['a bucket that stays', { bucket: { ...bucket, end: { phase: 'LIVE', generation: 0, total: 1 } } }, [5]],
    ['a host that was never replaced', { cache: { ...cache, generation: 0 } }, [6]],
    ['a database lost without a death', { cache: { ...cache, generation: 2 } }, [6]],
    ['a reference of a dead thread', { cache: { ...cache, references: 4 } }, [6]],
    ['a reference leaked', { cache: { ...cache, end: { phase: 'EMPTY', references: 1 } } }, [6]],
    ['a slot that stays', { final: { ...sound.final, slots: [row] } }, [7]],
    ['two areas', { hellos: [{ areaId: 8 }] }, [8]],
    ['one copy', { copies: ['/a', '/b', '/a'] }, [8]],
  ];
  for (const [what, change, failing] of broken) {
    const failed = checksOf({ ...sound, ...change }).flatMap(({ ok }, k) => (ok ? [] : [k]));
    expect(failed, what).toEqual(failing);
  }
  // Files that change meanwhile are found out anew, and that is all right.
  const touched: Evidence = { ...sound, passes: [first, { ...second, before: 3, stale: 1 }] };
  expect(checksOf(touched).every(({ ok }) => ok)).toBe(true);
});

test('the tally tells hits from misses, by pass and by thread, and what has changed in between', () => {
  const analysis = { sha256: 'x', bytes: 5, lines: 1, text: true };
  const done = (threadId: number, hit: boolean, stamp: string): Result => ({
    kind: 'done',
    threadId,
    hit,
    waitedMs: hit ? 0 : 2,
    stamp,
    analysis,
  });
  const tally = createTally(3);
  tally.begin(0);
  for (const index of [0, 1]) tally.add(index, done(1, false, 's'));
  tally.add(2, { kind: 'unreadable', threadId: 2, taken: true, reason: 'EACCES' });
  tally.end(2, { again: 1, deaths: 0 });
  tally.begin(2);
  tally.add(0, done(2, true, 's'));
  tally.add(1, done(2, false, 't'));
  tally.add(2, { kind: 'gone', threadId: 1, taken: false, reason: 'ENOENT' });
  tally.end(2, { again: 0, deaths: 0 });
  expect(tally.passes()).toMatchObject([
    { settled: 3, withResult: 3, hits: 0, misses: 2, failures: 1, tokens: 3, again: 1, stale: 0, before: 0, after: 2 },
    { settled: 3, withResult: 3, hits: 1, misses: 1, failures: 1, tokens: 1, again: 0, stale: 1, before: 2, after: 2 },
  ]);
  expect([tally.settled, tally.bytes]).toEqual([6, 20]);
  const hello = { critical: new Int32Array(1), stage: new Int32Array(1), areaId: 1 };
  const hellos = [
    { ...hello, threadId: 2, slot: 1, generation: 2 },
    { ...hello, threadId: 1, slot: 0, generation: 1 },
  ];
  expect(tally.threads(hellos, [{ threadId: 1, host: true }])).toEqual([
    { slot: 0, generation: 1, threadId: 1, hits: 0, misses: 2, waitedMs: 4, note: 'killed, hosted the cache' },
    { slot: 1, generation: 2, threadId: 2, hits: 1, misses: 1, waitedMs: 2, note: '' },
  ]);
});
