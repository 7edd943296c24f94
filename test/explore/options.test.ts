// What is given to explore() is checked before a thread is started; what the program throws before a schedule rejects.

import { type ExploreContext, type ExploreOptions, explain, explore } from 'coexist/explore';
import { describe, expect, test } from 'vitest';
import { lostUpdate, twice } from './toys.js';

const threads = twice(lostUpdate);
const wrong: readonly [string, unknown][] = [
  ['options', undefined],
  ['threads', {}],
  ['threads', { threads: [lostUpdate] }],
  ['threads', { threads: Array.from({ length: 9 }, () => lostUpdate) }],
  ['threads[1]', { threads: [lostUpdate, 7] }],
  ['threads[1]', { threads: [lostUpdate, Math.max] }],
  ['threads', { threads, module: 'file:///x.js' }],
  ['module', { module: 'x.js' }],
  ['setup', { threads, setup: 1 }],
  ['names', { threads, names: 3 }],
  ['bytes', { threads, bytes: 4 }],
  ['maxPreemptions', { threads, maxPreemptions: 17 }],
  ['kills', { threads, kills: 2 }],
  ['timeouts', { threads, timeouts: 'never' }],
  ['mode', { threads, mode: 'quick' }],
  ['reduce', { threads, reduce: 1 }],
  ['spin', { threads, spin: -1 }],
  ['seed', { threads, seed: 1.5 }],
  ['replay', { threads, replay: 'yesterday' }],
  ['budget', { threads, budget: 3 }],
  ['budget.schedules', { threads, budget: { schedules: 0 } }],
  ['budget.ms', { threads, budget: { ms: Number.NaN } }],
  ['budget.operations', { threads, budget: { operations: 0 } }],
  ['budget.hang', { threads, budget: { hang: 1 } }],
  ['options.thread', { threads, thread: lostUpdate }],
];

test.each(wrong)('%s: %j is COEXIST_EINVAL', async (name, options) => {
  await expect(explore(options as ExploreOptions)).rejects.toMatchObject({
    code: 'COEXIST_EINVAL',
    message: expect.stringContaining(`${name} is`),
  });
});

describe('a program that cannot be run rejects', () => {
  const code = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`);
  test.each([
    ['no function', { threads: ['1 + 1', '2'] }, /source text of a function/],
    [
      'a setup that throws',
      {
        threads,
        setup: () => {
          throw new Error('no setup');
        },
      },
      /no setup/,
    ],
    [
      'a prepare that throws',
      {
        threads,
        prepare: () => {
          throw new Error('no prepare');
        },
      },
      /no prepare/,
    ],
    [
      'a module without threads',
      { module: code('export const setup = () => {}') },
      /no array of functions named threads/,
    ],
    ['one thread', { module: code('export const threads = [() => {}]') }, /1 threads/],
    ['a module that is not there', { module: 'file:///not/there.js' }, /not\/there/],
    ['a module without a thread', { threads: [code('export const x = 1'), lostUpdate] }, /no export thread/],
  ] as [string, ExploreOptions, RegExp][])('%s', async (_, options, message) => {
    await expect(explore(options)).rejects.toThrow(message);
  });
});

describe('a program may be given', () => {
  const after = ({ i32 }: ExploreContext) => i32[0] === 2;
  const source = '({ i32 }) => { Atomics.store(i32, 0, Atomics.load(i32, 0) + 1); }';
  const module = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`);

  test.each([
    ['as functions', { threads, after }],
    [
      'as methods',
      {
        threads: twice(
          {
            run({ i32 }: ExploreContext) {
              Atomics.store(i32, 0, Atomics.load(i32, 0) + 1);
            },
          }.run,
        ),
        after,
      },
    ],
    ['as source text', { threads: [source, source], after: 'function ({ i32 }) { return i32[0] === 2; }' }],
    ['as URLs of threads', { threads: twice(module(`export const thread = ${source}`)), after }],
    [
      'as a module',
      {
        module: module(
          `export const threads = [${source}, ${source}]; export const after = ({ i32 }) => i32[0] === 2;`,
        ),
      },
    ],
    [
      'as a module that makes its threads of data',
      {
        module: module(
          `export const threads = ({ n }) => Array(n).fill(${source}); export const after = ({ i32 }) => i32[0] === 2;`,
        ),
        data: { n: 2 },
      },
    ],
  ] as [string, ExploreOptions][])('%s', async (_, options) => {
    expect((await explore(options)).failure?.kind).toBe('after');
  });

  test('with a memory of its own, wasm memory included', async () => {
    const result = await explore({
      threads: twice(({ u8, buffer }: ExploreContext) => {
        if (buffer.byteLength !== 65536) throw new Error('another memory');
        Atomics.add(u8, 9, 1);
        Atomics.sub(u8, 9, 1);
      }),
      setup: () => {
        const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
        new Uint8Array(memory.buffer)[9] = 7;
        return memory;
      },
      maxPreemptions: 8,
      after: ({ u8 }) => u8[9] === 7,
    });
    // Every schedule began with the memory as setup left it.
    expect(result).toMatchObject({ failure: undefined, schedules: 6, complete: true });
  });

  test('with state outside the memory, which reset restores', async () => {
    const result = await explore({
      threads: twice(({ i32, state }: ExploreContext) => {
        const own = state as { calls: number };
        if (own.calls++ !== 0) throw new Error('called before in this schedule');
        Atomics.add(i32, 0, 1);
      }),
      prepare: () => ({ calls: 0 }),
      reset: ({ state }) => {
        (state as { calls: number }).calls = 0;
      },
    });
    expect(result).toMatchObject({ failure: undefined, schedules: 2 });
  });
});

test('a trace has a line for each operation, with names, values, and what the schedule did', async () => {
  const thread = ({ i32, i64, u8, index, log, choose }: ExploreContext) => {
    log('hello from', index);
    Atomics.add(i32, 0, 5);
    Atomics.exchange(i64, 1, -1n);
    Atomics.or(u8, 20, 3);
    Atomics.compareExchange(i32, 1, 1, 2);
    Atomics.compareExchange(i32, 1, 0, choose(2));
    Atomics.wait(i32, 1, 5);
    Atomics.notify(i32, 1);
  };
  const program: ExploreOptions = {
    threads: twice(thread),
    names: { sum: 0, flag: 4 },
    after: ({ i32 }) => i32[1] === 0,
  };
  const result = await explore(program);
  expect(result.trace).toEqual([
    'T0  hello from 0',
    'T0  add sum 5 (was 0)',
    'T0  exchange @0008 -1 (was 0)',
    'T0  or @0014 3 (was 0)',
    'T0  compareExchange flag 1 => 2 fails, it is 0',
    'T0  compareExchange flag 0 => 0',
    'T0  wait flag 5 -> not-equal, it is 0',
    'T0  notify flag -> 0 woken',
    'T1  hello from 1',
    'T1  add sum 5 (was 5)',
    'T1  exchange @0008 -1 (was -1)',
    'T1  or @0014 3 (was 3)',
    'T1  compareExchange flag 1 => 2 fails, it is 0',
    'T1  compareExchange flag 0 => 1',
    'T1  wait flag 5 -> not-equal, it is 1',
    'T1  notify flag -> 0 woken',
  ]);
  const text = explain(result);
  expect(text).toContain('after in T1: the check at the end of the schedule returned false');
  expect(text).toContain('  T1  compareExchange flag 0 => 1\n');
  expect(text).toContain(`replay: "${result.failure?.schedule}"`);
  const passed = await explore({ ...program, replay: 'x1:' });
  expect(passed.failure).toBeUndefined();
  expect(explain(passed)).toContain('  T0  add sum 5 (was 0)\n');
});
