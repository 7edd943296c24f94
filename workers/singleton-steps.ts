// The operations on singletons that call-stepper.ts cuts, as call-steps.ts has those on channels; and all of them together.

import type * as core from '../src/core.js';
import { CALL_PLAYS, CELLS, codeFrom, LATE_MS, type Play, type Stage, unless } from './call-steps.js';

export const KEY = 'one';
export const BYTES = 8;

const declare = ({ lib, area }: Stage): core.MemorySingleton =>
  lib.singleton(KEY, {
    bytes: BYTES,
    area,
    create: ({ i32 }) => void Atomics.store(i32, 0, 1),
    finalize: ({ i32 }) => void Atomics.store(i32, 0, -1),
  });

const host = ({ lib, area }: Stage) =>
  lib.singleton(KEY, {
    ...CELLS,
    area,
    create: () => ({ n: 1 }),
    finalize() {},
    methods: { n: ({ n }: { n: number }) => n },
  });

/** Words of the singleton, by hand. */
function leave(
  stage: Stage,
  phase: number,
  actor: bigint,
  rows: readonly [bigint, number, number][] = [],
  hosted = false,
): void {
  const { lib, i32, i64 } = stage;
  const { at } = stage.entryOf('singleton');
  const word = (name: keyof typeof lib.SINGLETON): number => at + lib.SINGLETON[name].offset;
  i64[word('actor') >>> 3] = actor;
  i32[word('type') >>> 2] = stage.entryOf('type').number + 1;
  i32[word('kind') >>> 2] = hosted ? lib.INSTANCE_HOSTED : lib.INSTANCE_MEMORY;
  i32[word('state') >>> 2] = phase;
  i32[word('holders_used') >>> 2] = rows.length;
  for (const [k, [identity, count, of]] of rows.entries()) {
    const row = at + lib.HOLDERS_OFFSET + k * lib.HOLDER_BYTES;
    i64[row >>> 3] = identity;
    i32[(row + lib.HOLDER.count.offset) >>> 2] = count;
    i32[(row + lib.HOLDER.phase.offset) >>> 2] = of;
  }
}

function onSingleton(prepare: (one: core.MemorySingleton, stage: Stage) => () => unknown): Play {
  return (stage) => {
    const run = prepare(declare(stage), stage);
    return {
      run,
      goOn() {
        // What this thread was constructing or finalizing when it was cut stays so until it ends.
        const code = codeFrom(() => declare(stage).acquire({ timeout: LATE_MS }).release());
        return unless(code, '', 'COEXIST_EDEADLK');
      },
    };
  };
}

function onHosted(prepare: (one: ReturnType<typeof host>, stage: Stage) => () => unknown): Play {
  return (stage) => {
    const run = prepare(host(stage), stage);
    const goOn = (): string[] =>
      unless(
        codeFrom(() => host(stage).acquire({ timeout: LATE_MS }).release()),
        '',
        'COEXIST_EDEADLK',
        // What it hosts since it was cut has no handle; it stays until the thread ends.
        'COEXIST_EEXIST',
        'COEXIST_ETIMEDOUT',
      );
    return { run, goOn };
  };
}

export const PLAYS = {
  ...CALL_PLAYS,

  'acquire, constructing': onSingleton((one) => () => one.acquire()),
  'acquire, joining': onSingleton((one, stage) => {
    const { SINGLETON_LIVE } = stage.lib;
    leave(stage, SINGLETON_LIVE, stage.other, [[stage.other, 1, SINGLETON_LIVE]]);
    return () => one.acquire();
  }),
  'acquire after a dead constructor': onSingleton((one, stage) => {
    leave(stage, stage.lib.SINGLETON_CONSTRUCTING, stage.dead);
    return () => one.acquire();
  }),
  'acquire after a dead finalizer': onSingleton((one, stage) => {
    leave(stage, stage.lib.SINGLETON_FINALIZING, stage.dead);
    return () => one.acquire();
  }),
  'acquire of what a dead thread was ending': onSingleton((one, stage) => {
    leave(stage, stage.lib.SINGLETON_DYING, stage.dead);
    return () => one.acquire();
  }),
  get: onSingleton((one, stage) => {
    const { SINGLETON_LIVE } = stage.lib;
    leave(stage, SINGLETON_LIVE, stage.other, [[stage.other, 1, SINGLETON_LIVE]]);
    one.get()?.release();
    return () => one.get();
  }),
  'release, not the last': onSingleton((one, stage) => {
    const { SINGLETON_LIVE } = stage.lib;
    leave(stage, SINGLETON_LIVE, stage.other, [[stage.other, 1, SINGLETON_LIVE]]);
    const reference = one.acquire();
    return () => reference.release();
  }),
  'release, the last': onSingleton((one) => {
    const reference = one.acquire();
    return () => reference.release();
  }),
  'release, the last but for the dead': onSingleton((one, stage) => {
    const { SINGLETON_LIVE } = stage.lib;
    leave(stage, SINGLETON_LIVE, stage.other, [[stage.dead, 1, SINGLETON_LIVE]]);
    stage.i32[stage.entryOf('type').at >>> 2] = 1;
    const reference = one.acquire();
    return () => reference.release();
  }),
  lend: onSingleton((one) => {
    const reference = one.acquire();
    return () => reference.lend();
  }),
  revoke: onSingleton((one) => {
    const reference = one.acquire();
    const loan = reference.lend();
    reference.release();
    return () => reference.revoke(loan);
  }),
  adopt: onSingleton((one, stage) => {
    const { SINGLETON_LIVE } = stage.lib;
    leave(stage, SINGLETON_LIVE, stage.other, [[stage.other, SINGLETON_LIVE, (stage.lib.LOAN_BIT | 77) >>> 0]]);
    return () => one.adopt({ key: KEY, generation: 0, row: 0, number: 77 });
  }),
  reclaim: onSingleton((one, stage) => {
    const { SINGLETON_LIVE } = stage.lib;
    leave(stage, SINGLETON_LIVE, stage.dead, [[stage.dead, 2, SINGLETON_LIVE]]);
    return () => one.reclaim();
  }),

  'host, constructing': onHosted((one) => () => one.acquire()),
  'host, constructing after a dead creator': onHosted((one, stage) => {
    const { SINGLETON_LIVE } = stage.lib;
    leave(stage, SINGLETON_LIVE, stage.dead, [[stage.dead, 1, SINGLETON_LIVE]], true);
    return () => one.acquire();
  }),
  'host, the last release': onHosted((one) => {
    const reference = one.acquire();
    return () => reference.release();
  }),
  'host, joining and leaving another’s': onHosted((one, stage) => {
    const { SINGLETON_LIVE } = stage.lib;
    leave(stage, SINGLETON_LIVE, stage.other, [[stage.other, 1, SINGLETON_LIVE]], true);
    return () => one.acquire().release();
  }),
} satisfies Record<string, Play>;

export type Operation = keyof typeof PLAYS;
export const isHosted = (operation: string): boolean => operation.startsWith('host');
export const onChannel = (operation: string): boolean => operation in CALL_PLAYS;
