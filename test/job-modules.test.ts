// The job `modules`: the run as its users see it, and its checks on evidence that is sound and on evidence that is not.

import { afterEach, expect, test } from 'vitest';
import { checksOf, type Evidence } from '../examples/job/modules/checks.js';
import { Folder, runJob } from './support/job.js';

const SEED = 20_260_104;
const folders: Folder[] = [];

afterEach(() => {
  for (const made of folders.splice(0)) made.remove();
});

const CHECKS = [
  'the program starts without its parts: 0 parts loaded, 0 drivers, against 2',
  'what does not fit is not let in: 8 of 8 as expected',
  'messages name both sides',
  'and leaves nothing: 0 threads have a module, 0 drivers',
  'parts come when they are needed, what they depend on first: 0, 2, 3, 4 loaded',
  "functions that were taken before are the parts' own behind that: sqlite, zip",
  'the parts work: \\d+ files of \\d+ bytes in the catalogue',
  '2 workers of the role img loaded what the process has, without ui-report',
  'and unpacked what main had packed: 2 of 2 equal',
  'the process knows who has what: block-core in 3 threads, ui-report in 1; 1 when',
  'initialisers of the process ran once: block-core, block-sqlite',
  'a program whose files were replaced found its own build, also in a thread started behind that: loaded and loaded from',
  'there is one build in the process: another was refused, process',
];

test('every check holds', async () => {
  const made = new Folder().fill(20, 20_000, SEED).write('one.txt', 'a line\nanother\n').write('empty.txt', '');
  folders.push(made);
  const { code, stdout, stderr } = await runJob(['--job', 'modules', '--dir', made.path, '--workers', '2']);
  expect(stderr).toBe('');
  const checks = stdout.split('\n').filter((line) => /^(ok {4}|FAILED)/.test(line));
  expect(checks).toHaveLength(CHECKS.length);
  checks.forEach((line, k) => {
    expect(line).toMatch(new RegExp(`^ok {4} ${CHECKS[k]}`));
  });
  expect(stdout).toContain(`all ${CHECKS.length} checks hold`);
  expect(stdout).toMatch(/^block-sqlite +commonjs +\d\.\d MB +driver:sqlite catalogue +block-core +all$/m);
  expect(code).toBe(0);
});

const BLOCK = ['block-core', 'block-sqlite', 'block-zip'];
const ready = { ms: 1, rss: 1, heap: 1, loaded: [] };
const nothing = { threads: 0, generations: [0, 0, 0], drivers: [] };
const img = {
  outcomes: [],
  loaded: BLOCK,
  refused: 'host',
  rendering: 'COEXIST_EREFUSED',
  unpacked: { files: 2, sha256: 'x' },
};

/** What a sound run finds. */
const sound = (): Evidence => ({
  started: {
    loading: { ...ready, found: { drivers: [], formats: [], catalogue: false } },
    importing: { ...ready, found: { drivers: ['sqlite', 'zip'], formats: ['zip'], catalogue: true } },
  },
  refused: {
    refusals: [
      { what: 'w', expected: 'absent', found: 'absent', message: 'first, then second', names: ['first', 'second'] },
    ],
    before: nothing,
    after: nothing,
  },
  demanded: {
    steps: [[], ['block-core', 'block-zip'], BLOCK, [...BLOCK, 'ui-report']].map((loaded) => ({ by: 'b', loaded })),
    stubs: { formats: [], drivers: [], isOpen: false },
    patched: { formats: ['zip'], drivers: ['sqlite', 'zip'], isOpen: true },
    outcomes: [],
    rows: 2,
    bytes: 30,
    total: { files: 2, bytes: 30 },
    inside: ['files.json'],
    packed: new Uint8Array(3),
    sha256: 'x',
    page: '<svg>',
    close: () => {},
  },
  threads: {
    workers: 1,
    answers: [img],
    present: { 'block-core': 2, 'block-sqlite': 2, 'block-zip': 2, 'ui-report': 1 },
    behind: { 'block-core': 1, 'block-sqlite': 1, 'block-zip': 1, 'ui-report': 1 },
  },
  replaced: { found: 'loaded', path: '/x/upgraded/aa/block-zip.mjs', message: '' },
  late: { found: 'loaded', path: '/x/upgraded/aa/block-zip.mjs', message: '' },
  rival: { found: 'process', message: 'aa is there, not bb' },
  journal: ['block-core', 'block-sqlite'],
  fingerprint: 'aa',
  foreign: 'bb',
  places: { upgraded: '/x/upgraded' },
});

const failing = (evidence: Evidence): number[] => checksOf(evidence).flatMap(({ ok }, k) => (ok ? [] : [k]));

test('sound evidence passes', () => {
  expect(checksOf(sound())).toHaveLength(CHECKS.length);
  expect(failing(sound())).toEqual([]);
});

test.each<[string, number, (evidence: Evidence) => Partial<Evidence>]>([
  [
    'a part that is loaded at the start',
    0,
    ({ started }) => ({ started: { ...started, loading: { ...started.loading, loaded: ['x'] } } }),
  ],
  [
    'parts that do nothing where they are imported',
    0,
    ({ started }) => ({ started: { ...started, importing: started.loading } }),
  ],
  [
    'another outcome',
    1,
    ({ refused }) => ({ refused: { ...refused, refusals: [{ ...refused.refusals[0]!, found: 'loaded' }] } }),
  ],
  [
    'both sides in the wrong order',
    2,
    ({ refused }) => ({ refused: { ...refused, refusals: [{ ...refused.refusals[0]!, message: 'second, first' }] } }),
  ],
  ['a module left by a refusal', 3, ({ refused }) => ({ refused: { ...refused, after: { ...nothing, threads: 1 } } })],
  ['a part that comes unasked', 4, ({ demanded }) => ({ demanded: { ...demanded, steps: demanded.steps.slice(1) } })],
  ['functions that stay stubs', 5, ({ demanded }) => ({ demanded: { ...demanded, patched: demanded.stubs } })],
  [
    'a catalogue that lacks a file',
    6,
    ({ demanded }) => ({ demanded: { ...demanded, total: { files: 1, bytes: 30 } } }),
  ],
  [
    'a worker that got the report',
    7,
    ({ threads }) => ({ threads: { ...threads, answers: [{ ...img, loaded: [...BLOCK, 'ui-report'] }] } }),
  ],
  [
    'other bytes unpacked',
    8,
    ({ threads }) => ({ threads: { ...threads, answers: [{ ...img, unpacked: { files: 2, sha256: 'y' } }] } }),
  ],
  ['rows of threads that ended', 9, ({ threads }) => ({ threads: { ...threads, behind: threads.present } })],
  ['an initialiser that ran twice', 10, ({ journal }) => ({ journal: [...journal, 'block-core'] })],
  [
    'a new file in an old program',
    11,
    ({ replaced }) => ({ replaced: { ...replaced, path: '/x/upgraded/block-zip.mjs' } }),
  ],
  ['two builds in the process', 12, ({ rival }) => ({ rival: { ...rival, found: 'loaded' } })],
])('%s fails its check', (_what, index, change) => {
  const evidence = sound();
  expect(failing({ ...evidence, ...change(evidence) })).toEqual([index]);
});
