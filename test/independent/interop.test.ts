// The library and an implementation that was written from docs/ABI.md alone share one area: slots, counts, the directory,
// counters and reclaim, in every order and in both roles.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { Actor, until } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import * as independent from './implementation.js';
import { orders, type Party, walk } from './orders.js';

const a = (await import(copyUrl('a', 'core.js'))) as typeof core;
const b = (await import(copyUrl('b', 'core.js'))) as typeof core;
const IMPLEMENTATION = new URL('./implementation.js', import.meta.url).href;
const PARTIES: Party[] = ['a', 'b', 'independent'];

describe('in one thread', () => {
  test('counts are right in every order of three registrations', () => {
    const memory = a.createArea({ slots: 3 }).buffer;
    let steps = 0;
    for (const order of orders(PARTIES, 1)) {
      const result = walk(order, 1, memory, { a, b, independent });
      expect(result.wrong).toEqual([]);
      steps += result.steps;
    }
    expect(steps).toBe(90 * 6);
  });

  test.each([
    ['a', 'independent'],
    ['independent', 'b'],
  ] as const)('counts are right in every order of two registrations each of %s and %s', (...pair) => {
    const { memory } = a.createArea({ slots: 3 });
    const all = orders(pair, 2);
    expect(all.length).toBe(70);
    for (const order of all) expect(walk(order, 2, memory as core.AreaValue, { a, b, independent }).wrong).toEqual([]);
  });

  test('a permanent owner of either is honoured by the other', () => {
    for (const first of ['library', 'independent']) {
      const area = a.createArea({ slots: 1 });
      const theirs = independent.open(area.memory);
      const permanent =
        first === 'library'
          ? a.register({ area, permanent: true })
          : independent.register({ area: theirs, permanent: true });
      const counted = first === 'library' ? independent.register({ area: theirs }) : b.register({ area });
      expect([permanent.permanent, counted.permanent, counted.slot]).toEqual([true, true, permanent.slot]);
      counted.unregister();
      permanent.unregister();
      expect(area.inspect().slots.map(({ refcount }) => refcount)).toEqual([0]);
    }
  });

  test('library names, keys and counters are one directory', () => {
    const area = a.createArea({ slots: 2 });
    const theirs = independent.open(area.memory);
    const ours = new a.Counter('requests', { area, holder: 'meter' });
    const same = independent.counter('requests', theirs);
    ours.add(5);
    same.add(2);
    expect([ours.sum(), same.sum()]).toEqual([7n, 7n]);
    const named = independent.register({ area: theirs, name: 'tracer' });
    expect(area.inspect().slots[0]?.holders).toEqual(['meter', 'tracer']);
    expect(independent.inspect(theirs)[0]?.holders).toEqual(['meter', 'tracer']);
    const key = independent.lookup(theirs, { name: 'spans', kind: 'key', version: 1, size: 32, flags: 0 });
    const perThread = new b.PerThread('spans', { type: 'f64', length: 4, area });
    perThread.own[0] = 1;
    expect(perThread.base * 8).toBe(
      area.geometry.blockOffset + perThread.slot * area.geometry.blockStride + key.offset,
    );
    expect(() => independent.lookup(theirs, { name: 'spans', kind: 'counter', version: 1, size: 8 })).toThrow(
      expect.objectContaining({ code: 'COEXIST_EKIND' }),
    );
    expect(() => new a.Counter('spans', { area })).toThrow(expect.objectContaining({ code: 'COEXIST_EKIND' }));
    for (const handle of [ours, same, perThread]) handle.dispose();
    named.unregister();
    expect(area.inspect().slots).toEqual([]);
  });
});

describe('across threads', () => {
  test('the JavaScript twin, the wasm and the other implementation take turns in one thread', async () => {
    const actor = await Actor.start({ env: { ...process.env, COEXIST_NO_WASM: '1' } });
    const { memory } = a.createArea({ slots: 2 });
    const counts = await actor.run(
      async ({ load }, { urls, memory }) => {
        const [a, theirs] = [await load(urls.a), await load<typeof independent>(urls.theirs)];
        const area = a.openArea(memory as core.AreaValue);
        const counts: number[] = [];
        const handles = [a.register({ area }), theirs.register({ area: theirs.open(memory) }), a.register({ area })];
        while (handles.length > 0) {
          counts.push(area.inspect().slots[0]?.refcount ?? -1);
          handles.shift()?.unregister();
        }
        return [...counts, area.inspect().slots.length];
      },
      { urls: { a: copyUrl('a', 'core.js'), theirs: IMPLEMENTATION }, memory },
    );
    expect(counts).toEqual([3, 2, 1, 0]);
    await actor.terminate();
  });

  test.each([
    ['library', 'independent'],
    ['independent', 'library'],
  ])('slots of a dead thread that used the %s are reclaimed by the %s', async (used, reclaimer) => {
    const area = a.createArea({ slots: 2 });
    const theirs = independent.open(area.memory);
    const actor = await Actor.start();
    await actor.run(
      async ({ load }, { used, urls, memory }) => {
        if (used === 'library') {
          const coexist = await load(urls.a);
          new coexist.Counter('work', { area: coexist.openArea(memory as core.AreaValue) }).add(3);
        } else {
          const other = await load<typeof independent>(urls.theirs);
          other.counter('work', other.open(memory)).add(3);
        }
      },
      { used, urls: { a: copyUrl('a', 'core.js'), theirs: IMPLEMENTATION }, memory: area.memory },
    );
    expect(area.inspect().slots.map(({ alive, refcount }) => [alive, refcount])).toEqual([[true, 1]]);
    const reclaim = () => (reclaimer === 'library' ? area.reclaim() : independent.reclaim(theirs));
    expect(reclaim(), 'a live owner loses nothing').toBe(0);
    await actor.terminate();
    let freed = 0;
    await until('the slot is free', () => {
      freed += reclaim();
      return freed > 0;
    });
    expect(freed).toBe(1);
    expect(area.inspect().slots).toEqual([]);
    const counter = reclaimer === 'library' ? new a.Counter('work', { area }) : independent.counter('work', theirs);
    counter.add(4);
    expect(counter.sum()).toBe(7n);
    counter.dispose();
  });
});

describe('in one process', () => {
  const run = promisify(execFile);
  // Each program: who attaches in main and in the worker, and when; prints the two area ids, and rows as main sees them.
  test.each([
    ['library', 'independent', 'before'],
    ['independent', 'library', 'before'],
    ['library', 'independent', 'after'],
    ['independent', 'library', 'after'],
    ['nobody', 'library', 'never'],
    ['nobody', 'independent', 'never'],
  ])('main uses the %s, a worker the %s, main attaches %s: one area', async (main, worker, when) => {
    const urls = { library: copyUrl('a'), independent: IMPLEMENTATION, nobody: IMPLEMENTATION };
    const program = `
      import { Worker } from 'node:worker_threads';
      import { once } from 'node:events';
      const join = async () => (await import('${urls[main as keyof typeof urls]}')).attach();
      const early = '${when}' === 'before' ? await join() : undefined;
      const source = \`import('${urls[worker as keyof typeof urls]}').then((coexist) => {
        const { id } = coexist.attach();
        const { slot } = coexist.register();
        process.getBuiltinModule('node:worker_threads').parentPort.postMessage({ id, slot });
        setInterval(() => {}, 1000);
      })\`;
      const workers = [new Worker(source, { eval: true }), new Worker(source, { eval: true })];
      const [[first], [second]] = await Promise.all(workers.map((worker) => once(worker, 'message')));
      const area = early ?? (await join());
      const rows = area.inspect();
      console.log(JSON.stringify({ ids: [area.id, first.id, second.id], slots: [first.slot, second.slot].sort(), rows: (rows.slots ?? rows).length }));
      process.exit(0);
    `;
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', program], {
      timeout: 20_000,
    });
    expect(stderr).toBe('');
    const { ids, slots, rows } = JSON.parse(stdout) as { ids: number[]; slots: number[]; rows: number };
    expect(new Set(ids).size).toBe(1);
    expect({ slots, rows }).toEqual({ slots: [0, 1], rows: 2 });
  });

  test('the implementation imports nothing of the library', async () => {
    const { readFile } = await import('node:fs/promises');
    const source = await readFile(fileURLToPath(IMPLEMENTATION), 'utf8');
    expect(source).not.toMatch(/from ['"](?!node:)/);
    expect(source).not.toMatch(/\b(import|require)\(['"](?!node:)/);
  });
});
