// The job `namespaces`: the run as its users see it, and its checks on evidence that is sound and on evidence that is not.

import { afterEach, expect, test } from 'vitest';
import { checksOf, type Evidence } from '../examples/job/namespaces/checks.js';
import { Folder, runJob } from './support/job.js';

const folders: Folder[] = [];

afterEach(() => {
  for (const made of folders.splice(0)) made.remove();
});

const CHECKS = [
  'two versions of one library in one thread, each with a renderer of its own: Handlebars 4\\.\\S+ and 3\\.',
  'both rendered 2 pages, alike but for the equals sign: &#x3D; and =$',
  'one log counted the lines of both: 2 and 2$',
  'zod is one for both and the base',
  'a version out of range stays beside it: 4\\.\\S+ master, 3\\.\\S+ kept$',
  'plugins find in a namespace what they find in the base: 30 of 30$',
  'each had a library of its own, which nobody had used: 30 of 30$',
  'each was released, and its number given out again: 30 of 30, all of them number 3$',
  'they leave the heap as it was: -?0\\.\\d\\d MB more, at most 0\\.3$',
  'nothing holds what they have exported: 0 of 30 are left$',
  'a plugin that throws leaves nothing: 0 modules; another one in its place works$',
  'what the namespaces list is what they count: \\d+ \\+ 2, \\d+ \\+ 2, 3 \\+ 0$',
];

test('every check holds', async () => {
  const made = new Folder()
    .write('one.md', '# One\n\na <a href="https://example.com/x?y=1">link</a> of 1.2.3\n')
    .write('two.txt', 'some words, and words\n')
    .write('three.bin', new Uint8Array(8));
  folders.push(made);
  const { code, stdout, stderr } = await runJob(['--job', 'namespaces', '--dir', made.path]);
  expect(stderr).toBe('');
  const checks = stdout.split('\n').filter((line) => /^(ok {4}|FAILED)/.test(line));
  expect(checks).toHaveLength(CHECKS.length);
  checks.forEach((line, k) => {
    expect(line).toMatch(new RegExp(`^ok {4} ${CHECKS[k]}`));
  });
  expect(stdout).toContain(`all ${CHECKS.length} checks hold`);
  expect(stdout).toMatch(/^words +3 +5 +words 2, /m);
  expect(stdout).toMatch(/^zod 4\S+ +\d+ own +1 proxy +1 proxy$/m);
  expect(code).toBe(0);
});

const run = { plugin: 'words', ns: 3, modules: 3, before: 0, result: 'r', released: true };
const info = { id: 1, kind: 'permanent', opens: 1, modules: 1, proxies: 1 } as const;
const entry = { ns: 1, realNs: 1, kind: 'own', path: '/a', url: '', isolated: false, opens: 0 } as const;
const named = { ...entry, package: 'a', version: '1.0.0' };
const site = { ns: 1, articles: ['a', 'b'], sameLogger: true, sameZod: true, refused: true };

/** What a sound run finds. */
const sound = (): Evidence => ({
  rendered: {
    pages: 2,
    sites: [
      { ...site, version: '4.1.0' },
      { ...site, version: '3.1.0' },
    ],
    alike: true,
    escapes: ['&#x3D;', '='],
    ownRenderers: true,
    schemas: true,
    oldZod: { own: true, refuses: true, base: false },
    copies: ['4.0.0 master', '3.0.0 kept'],
    lines: { 'Handlebars 4.1.0': 2, 'Handlebars 3.1.0': 2 },
  },
  plugged: {
    runs: Array.from({ length: 30 }, () => run),
    growth: 0,
    alive: 0,
    broken: {
      message: 'this plugin needs another host',
      left: { modules: 0, cached: 0 },
      next: { before: 0, result: 'r' },
      number: [3, 3],
    },
    inBase: [
      { plugin: 'words', before: 0, result: 'r' },
      { plugin: 'lines', before: 2, result: 's' },
    ],
  },
  listed: {
    infos: [0, 1, 2, 3].map((id) => ({ ...info, id })),
    entries: [1, 2, 3].flatMap((ns) => [
      { ...named, ns, realNs: ns },
      { ...named, ns, realNs: 0, kind: 'proxy' as const },
    ]),
  },
});

const failing = (evidence: Evidence): number[] => checksOf(evidence).flatMap(({ ok }, k) => (ok ? [] : [k]));

test('sound evidence passes', () => {
  expect(checksOf(sound())).toHaveLength(CHECKS.length);
  expect(failing(sound())).toEqual([]);
});

test.each<[string, number, (evidence: Evidence) => Partial<Evidence>]>([
  ['one renderer for both', 0, ({ rendered }) => ({ rendered: { ...rendered, ownRenderers: false } })],
  ['articles of one version', 1, ({ rendered }) => ({ rendered: { ...rendered, alike: false } })],
  [
    'a log for each',
    2,
    ({ rendered }) => ({ rendered: { ...rendered, lines: { ...rendered.lines, 'Handlebars 3.1.0': 0 } } }),
  ],
  [
    'another zod',
    3,
    ({ rendered }) => ({ rendered: { ...rendered, sites: rendered.sites.map((one) => ({ ...one, refused: false })) } }),
  ],
  ['a merged zod 3', 4, ({ rendered }) => ({ rendered: { ...rendered, copies: ['4.0.0 master', '3.0.0 merged'] } })],
  [
    'a plugin that finds something else',
    5,
    ({ plugged }) => ({ plugged: { ...plugged, runs: [{ ...run, result: 's' }, ...plugged.runs.slice(1)] } }),
  ],
  [
    'a library that was used',
    6,
    ({ plugged }) => ({ plugged: { ...plugged, runs: [{ ...run, before: 2 }, ...plugged.runs.slice(1)] } }),
  ],
  [
    'a namespace that stays',
    7,
    ({ plugged }) => ({ plugged: { ...plugged, runs: [{ ...run, ns: 4 }, ...plugged.runs.slice(1)] } }),
  ],
  ['a heap that grows', 8, ({ plugged }) => ({ plugged: { ...plugged, growth: 400_000 } })],
  ['exports that somebody holds', 9, ({ plugged }) => ({ plugged: { ...plugged, alive: 1 } })],
  [
    'a module left by a failure',
    10,
    ({ plugged }) => ({ plugged: { ...plugged, broken: { ...plugged.broken, left: { modules: 0, cached: 1 } } } }),
  ],
  ['a list that lacks a module', 11, ({ listed }) => ({ listed: { ...listed, entries: listed.entries.slice(1) } })],
])('%s fails its check', (_what, index, change) => {
  const evidence = sound();
  expect(failing({ ...evidence, ...change(evidence) })).toEqual([index]);
});
