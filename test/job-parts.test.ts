// The parts of the main job that decide what is done, what is compared and what is checked.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checksOf, type Evidence } from '../examples/job/hash/checks.js';
import { compare, type Result } from '../examples/job/hash/compare.js';
import { createRandom, sample } from '../examples/job/random.js';
import { walk } from '../examples/job/walk.js';
import { Folder } from './support/job.js';

const digest = (sha256: string, stamp: string): Result & { kind: 'done' } => ({
  kind: 'done',
  sha256,
  bytes: 1,
  packed: 1,
  stamp,
});
const other = (sha256: string, stamp: string, changedMs = 0) => ({ sha256, bytes: 1, packed: 1, stamp, changedMs });

test('a difference counts against the job only if the file is the same now as it was then', () => {
  const cases: [string, Result | undefined, ReturnType<typeof other> | undefined | 'missing', string][] = [
    ['equal', digest('x', 's'), other('x', 's'), 'equal'],
    ['touched, but equal', digest('x', 's'), other('x', 't'), 'equal'],
    ['differs', digest('x', 's'), other('y', 's'), 'wrong'],
    ['changed meanwhile', digest('x', 's'), other('y', 't'), 'changed'],
    ['vanished since', digest('x', 's'), 'missing', 'changed'],
    ['vanished before', { kind: 'gone' }, 'missing', 'changed'],
    ['unreadable for both', { kind: 'unreadable', reason: 'EACCES' }, undefined, 'unreadable'],
    ['unreadable then', { kind: 'unreadable', reason: 'EACCES' }, other('x', 's'), 'changed'],
    ['unreadable now', digest('x', 's'), undefined, 'wrong'],
    ['no result', undefined, other('x', 's'), 'wrong'],
  ];
  for (const [what, result, verified, expected] of cases) {
    const found = new Map(verified === 'missing' ? [] : [[what, verified] as const]);
    const { equal, wrong, changed, unreadable } = compare([{ path: what, bytes: 1 }], [result], found, 100);
    expect({ equal, wrong: wrong.length, changed, unreadable }, what).toEqual({
      equal: 0,
      wrong: 0,
      changed: 0,
      unreadable: 0,
      [expected]: 1,
    });
  }
  const found = new Map([
    ['created since', other('x', 's', 100)],
    ['missed', other('x', 's', 99)],
  ]);
  expect(compare([], [], found, 100)).toMatchObject({ changed: 1, wrong: ['missed: only the walk found it'] });
});

const sound: Evidence = {
  files: 3,
  settled: 3,
  withResult: 3,
  again: 1,
  deaths: 0,
  kill: 1,
  kills: [{ slot: 1, generation: 1, bytes: 10 }],
  comparison: { equal: 3, wrong: [], changed: 0, unreadable: 0 },
  metered: { files: 4n, bytes: 40n },
  done: { files: 3, bytes: 30 },
  hellos: [{ threadId: 1, critical: new Int32Array(1), areaId: 7, slot: 1, generation: 1, refcounts: [1, 2] }],
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
const [hello] = sound.hellos as [Evidence['hellos'][number]];

test('each check holds on sound evidence, and fails on evidence that breaks it', () => {
  expect(checksOf(sound).map(({ ok }) => ok)).toEqual(Array(8).fill(true));
  const broken: [Partial<Evidence>, number[]][] = [
    [{ settled: 4 }, [0]],
    [{ withResult: 2 }, [0]],
    [{ comparison: { equal: 2, wrong: ['a: sha256'], changed: 0, unreadable: 0 } }, [1]],
    [{ kill: 2 }, [2]],
    [{ deaths: 1 }, [2]],
    [{ metered: { files: 5n, bytes: 40n } }, [3]],
    [{ metered: { files: 2n, bytes: 30n } }, [3]],
    [{ metered: { files: 4n, bytes: 41n } }, [3]],
    [{ metered: { files: 3n, bytes: 29n } }, [3]],
    [{ hellos: [hello, { ...hello, refcounts: [1, 1] }] }, [4]],
    [{ hellos: [{ ...hello, refcounts: [2, 2] }] }, [4]],
    [{ hellos: [{ ...hello, refcounts: [0, 1] }] }, [4]],
    [{ hellos: [hello, { ...hello, refcounts: [2, 3] }] }, [4]],
    [{ hellos: [] }, [4]],
    [{ final: { ...sound.final, slots: [row] } }, [5, 6]],
    [{ final: { ...sound.final, slots: [{ ...row, generation: 2 }] } }, [6]],
    [{ hellos: [{ ...hello, areaId: 8 }] }, [7]],
    [{ final: { ...sound.final, conflicted: true } }, [7]],
    [{ copies: ['/a', '/b', '/a'] }, [7]],
  ];
  for (const [change, failing] of broken) {
    const failed = checksOf({ ...sound, ...change }).flatMap(({ ok }, k) => (ok ? [] : [k]));
    expect(
      failed,
      JSON.stringify(change, (_, value) => (typeof value === 'bigint' ? Number(value) : value)),
    ).toEqual(failing);
  }
});

test('the same seed samples the same different indices, heavier ones more often', () => {
  const weights = [1, 1, 1000, 1, 1];
  for (let seed = 0; seed < 50; seed++) {
    const [one, two] = [sample(createRandom(seed), 3, weights), sample(createRandom(seed), 3, weights)];
    expect(one).toEqual(two);
    expect(new Set(one).size).toBe(3);
    expect(one).toEqual([...one].sort((a, b) => a - b));
    expect(one.every((index) => index >= 0 && index < 5)).toBe(true);
  }
  const heavy = Array.from({ length: 100 }, (_, seed) => sample(createRandom(seed), 1, weights)[0]);
  expect(heavy.filter((index) => index === 2).length).toBeGreaterThan(90);
  expect(sample(createRandom(1), 5, weights)).toEqual([0, 1, 2, 3, 4]);
});

test('the walk lists regular files, follows no link, and reports what it cannot read', () => {
  const folder = new Folder().write('b', '12').write('a/c', '1').link('loop', '.').link('gone', 'nowhere');
  mkdirSync(join(folder.path, 'empty'));
  expect(walk(folder.path)).toEqual({
    files: [
      { path: 'b', bytes: 2 },
      { path: 'a/c', bytes: 1 },
    ],
    symlinks: 2,
    others: 0,
    unreadable: [],
  });
  folder.remove();
  expect(walk(folder.path)).toMatchObject({ files: [], unreadable: [{ path: '.', reason: 'ENOENT' }] });
});
