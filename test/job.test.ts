// The main job as its users run it: a process with arguments, output and an exit code.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { hashFiles } from '../examples/job/hash/job.js';
import { describeFailures } from '../examples/job/hash/report.js';
import { Folder, runJob } from './support/job.js';

const SEED = 20_260_101;
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
  'every file has exactly one final result',
  'results equal an independent single-threaded walk',
  'workers killed while busy',
  'meter counted',
  'refcount 4, and 5 once both libraries had registered',
  'the slots of dead threads were reclaimed',
  'no slot is registered at the end',
  'one area id',
];

test('every check holds while workers are killed, and the table says what each claim of a slot did', async () => {
  // Large enough in one place for a kill in the middle of a file.
  const { path } = folder().fill(40, 60_000, SEED).write('empty', '').sparse('large', 30_000_000).link('link', 'empty');
  const { code, stdout, stderr } = await runJob([
    '--dir',
    path,
    '--workers',
    '2',
    '--kill',
    '3',
    '--seed',
    String(SEED),
  ]);
  expect(stderr).toBe('');
  const lines = stdout.split('\n');
  const checks = lines.filter((line) => /^(ok {4}|FAILED)/.test(line));
  expect(checks).toHaveLength(CHECKS.length);
  checks.forEach((line, k) => {
    expect(line).toMatch(/^ok/);
    expect(line).toContain(CHECKS[k]);
  });
  expect(code).toBe(0);
  expect(stdout).toContain(`42 files, `);
  expect(stdout).toContain('skipped 1 symbolic link and 0 others');
  expect(stdout).toContain(`2 workers, 3 kills, seed ${SEED}; sha256 and `);
  expect(lines.filter((line) => /^killed thread \d+ \(slot \d+, generation \d+\) over /.test(line))).toHaveLength(3);

  const head = lines.findIndex((line) => line.startsWith('slot  generation  thread  cpu  peak refcount  holders'));
  const end = lines.findIndex((line) => line.includes('meter, all threads'));
  const rows = lines.slice(head + 1, end).map((line) => line.trim().split(/ {2,}/));
  // The main thread, two workers, and one more for each kill.
  expect(rows).toHaveLength(6);
  for (const [, , , , peak, holders] of rows) expect([peak, holders]).toEqual(['5', 'meter tracer']);
  expect(rows.filter((row) => row[8] === 'killed')).toHaveLength(3);
  expect(new Set(rows.map(([slot, generation]) => `${slot} ${generation}`)).size).toBe(6);
  const total = /meter, all threads +(\d+) +(\d+)/.exec(lines[end]!);
  const sum = (column: number): number => rows.reduce((all, row) => all + Number(row[column]), 0);
  expect([sum(6), sum(7)]).toEqual([Number(total?.[1]), Number(total?.[2])]);
}, 60_000);

test('a folder of one file, killed over, and more kills than files', async () => {
  const { path } = folder().write('only', 'content');
  const { code, stdout } = await runJob(['--dir', path, '--workers', '1', '--kill', '5', '--seed', '1']);
  expect(stdout).toContain('only 1 of 5 kills');
  expect(stdout).toContain('ok     1 of 1 worker killed while busy');
  expect(stdout).toContain('all 8 checks hold');
  expect(code).toBe(0);
});

test('an empty folder is nothing to do, which is said', async () => {
  const { path } = folder().link('dangling', 'nowhere');
  const { code, stdout } = await runJob(['--dir', path]);
  expect(stdout).toContain(`nothing to do: there is no regular file under ${path}; skipped 1 symbolic link`);
  expect(code).toBe(0);
});

test('bad arguments are refused with what was expected, and exit code 2', async () => {
  const { path } = folder().write('file', '');
  const cases: [string[], string][] = [
    [['--dir', join(path, 'missing')], `there is no ${join(path, 'missing')}`],
    [['--dir', join(path, 'file')], `${join(path, 'file')} is not a folder`],
    [['--dir', ''], '--dir is empty'],
    [['--workers', '0'], '--workers is "0", expected a whole number from 1 to 64'],
    [['--workers', '1.5'], '--workers is "1.5", expected'],
    [['--kill', 'some'], '--kill is "some", expected a whole number from 0'],
    [['--seed', '4294967296'], '--seed is "4294967296", expected'],
    [['--job', 'unknown'], '--job is "unknown", expected one of hash'],
    [['--colour'], "Unknown option '--colour'"],
    [['argument'], "Unexpected argument 'argument'"],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runJob(args);
    expect(stderr.split('\n')[0], args.join(' ')).toContain(message);
    expect(stderr).toContain('usage: npm start');
    expect([code, stdout], args.join(' ')).toEqual([2, '']);
  }
}, 60_000);

test('--help prints the usage', async () => {
  const { code, stdout } = await runJob(['--help']);
  expect(stdout).toMatch(/^usage: npm start/);
  expect(code).toBe(0);
});

test('Ctrl-C ends cleanly with the counts so far', async () => {
  const made = folder();
  for (let k = 0; k < 40; k++) made.sparse(`file ${k}`, 60_000_000);
  const { code, stdout, stderr } = await runJob(['--dir', made.path, '--workers', '1', '--kill', '0'], (line, kill) => {
    if (line.startsWith('hashed  10 %')) kill();
  });
  expect(stderr).toBe('');
  const done = Number(/^interrupted: (\d+) of 40 files done$/m.exec(stdout)?.[1]);
  expect(done).toBeGreaterThanOrEqual(4);
  expect(done).toBeLessThan(40);
  expect(stdout).toMatch(new RegExp(`results +${done} +${done * 60_000_000}`));
  expect(code).toBe(130);
}, 60_000);

test('files that vanished, or cannot be read, are reported and counted; the rest is done', async () => {
  const made = folder().write('a', 'first').write('b/c', 'second').write('z', 'third').link('link', 'a');
  execFileSync('mkfifo', [join(made.path, 'pipe')]);
  // As listed; since then, one has gone and others have become a folder, a link and a pipe.
  const files = ['a', 'gone', 'b', 'b/c', 'link', 'pipe', 'a/x', 'z'].map((path) => ({ path, bytes: 1 }));
  const { signal } = new AbortController();
  const stream = new PassThrough().resume();
  const outcome = await hashFiles({ root: made.path, files, workers: 2, kill: 1, seed: SEED, signal, stream });
  const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');
  expect(outcome.results).toMatchObject([
    { kind: 'done', sha256: sha256('first'), bytes: 5 },
    { kind: 'gone' },
    { kind: 'unreadable', reason: 'no longer a regular file' },
    { kind: 'done', sha256: sha256('second'), bytes: 6 },
    { kind: 'unreadable', reason: 'ELOOP' },
    { kind: 'unreadable', reason: 'no longer a regular file' },
    { kind: 'gone' },
    { kind: 'done', sha256: sha256('third'), bytes: 5 },
  ]);
  expect([outcome.settled, outcome.done.files, outcome.done.bytes]).toEqual([8, 3, 16]);
  expect(outcome.final.slots).toEqual([]);
  expect(describeFailures(files, [{ path: 'closed', reason: 'EACCES' }], outcome.results)).toEqual([
    '4 could not be read:',
    '  closed: EACCES',
    '  b: no longer a regular file',
    '  link: ELOOP',
    '  pipe: no longer a regular file',
    '2 files vanished before being read:',
    '  gone',
    '  a/x',
  ]);
});
