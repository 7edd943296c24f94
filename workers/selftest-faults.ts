// Faults planted on purpose, so that the tests see that the selftests can fail: each puts something in the place of an operation that
// does what a broken library would do.

import type { Ground } from './selftest-ground.js';
import type { Api } from './selftest-turn.js';

/** In the environment of the selftest command: the name of the fault. For the tests alone. */
export const FAULT_VARIABLE = 'COEXIST_SELFTEST_FAULT';

const sleeper = new Int32Array(new SharedArrayBuffer(4));
/** Leaves time for others between two steps that belong together. */
const gap = (ms: number): void => {
  Atomics.wait(sleeper, 0, 0, ms);
};

const FAULTS = {
  /** A fence that waits for nobody. */
  'fence-returns': () => ({ fence: () => {} }),

  /** An addition of two steps. */
  'add-lost': (api: Api, { i32 }: Ground) => ({
    load_add_store(_perCpu: unknown, v: number, count: number) {
      const value = Atomics.load(i32, v >>> 2);
      gap(0.1);
      Atomics.store(i32, v >>> 2, value + count);
      return api.ops.DONE;
    },
  }),

  /** A copy that stops halfway. */
  'copy-torn': (api: Api) => ({
    load_cbne_memcpy_store: ((perCpu, v, expect, destination, source, length, ...rest) =>
      api.ops.load_cbne_memcpy_store(
        perCpu,
        v,
        expect,
        destination,
        source,
        length / 2,
        ...rest,
      )) as Api['ops']['load_cbne_memcpy_store'],
  }),

  /** A commit without the store before it. */
  'entry-lost': (api: Api) => ({
    load_cbne_store_store: ((perCpu, v, expect, _v2, value2, value, ...rest) =>
      api.ops.load_cbne_store_store(
        perCpu,
        v,
        expect,
        v + 4,
        value2,
        value,
        ...rest,
      )) as Api['ops']['load_cbne_store_store'],
  }),

  /** A pop that does not hold the CPU's word: what comes back meanwhile is taken for what it was. */
  'word-not-held': (api: Api, { i32 }: Ground) => ({
    load_cbeq_store_add_load_store: ((perCpu, v, expectnot, offset, load, shard, order) => {
      const head = Atomics.load(i32, v >>> 2);
      if (head === expectnot) return api.ops.COMPARE_FAILED;
      const next = Atomics.load(i32, (head + offset) >>> 2);
      gap(1 + Math.random());
      load[0] = head;
      return api.ops.load_cbne_store(perCpu, v, head, next, shard, order);
    }) as Api['ops']['load_cbeq_store_add_load_store'],
  }),

  /** A compare and store that does not compare. */
  'compare-skipped': (api: Api, { i32 }: Ground) => ({
    load_cbne_store(_perCpu: unknown, v: number, _expect: number, value: number) {
      Atomics.store(i32, v >>> 2, value);
      gap(0.1);
      return api.ops.DONE;
    },
  }),

  /** One thread is told to try again for ever. */
  'always-aborted': (api: Api, _ground: Ground, thread: number) =>
    thread === 0 ? { load_add_store: () => api.ops.ABORTED } : {},
} as const;

export type FaultName = keyof typeof FAULTS;

export const isFault = (name: string | undefined): name is FaultName =>
  name !== undefined && Object.hasOwn(FAULTS, name);

export function brokenApi(fault: FaultName, api: Api, ground: Ground, thread: number): Api {
  const { fence = api.fence, ...ops } = FAULTS[fault](api, ground, thread) as Partial<Api['ops']> &
    Partial<Pick<Api, 'fence'>>;
  return { fence, ops: { ...api.ops, ...ops } };
}
