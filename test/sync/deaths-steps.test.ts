// A thread is cut before or after any single atomic operation of any operation on a lock (workers/lock-steps.ts). As long as it lives,
// it can go on, and so can the others once what it holds is released; when it dies there, another thread can always proceed at once,
// and the counts are right. All in the JavaScript twin; a wasm step is one call, which nothing cuts.

import { Worker } from 'node:worker_threads';
import { BARRIER, CONDVAR, HOLDER, HOLDERS_OFFSET, IDENTITY_MASK, NOT_RECOVERABLE, ONCE_DONE } from 'coexist/abi';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type * as core from '../../src/core.js';
import type { CutResult } from '../../workers/cutting.js';
import { LAYOUT, PERMITS } from '../../workers/lock-plan.js';
import { type Operation, PLAYS, type StepRequest } from '../../workers/lock-steps.js';
import { until } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { wordsOf } from '../support/lock-waits.js';
import { deadIdentity } from '../support/stepper.js';
import { livesInProc, ownIdentity } from '../support/threads.js';

const ROW = HOLDERS_OFFSET;
const BYTES = 8192;
const TIMEOUTS = [5, 20, 80, 320, 1280];
/** What an operation throws by itself. */
const GIVEN_UP = 'COEXIST_ETIMEDOUT';

// The checks' own copy: its clock jumps, so that it asks at each look whether somebody is dead.
const lib = (await import(copyUrl('b', 'core.js'))) as typeof core;
let time = 0;
const realNow = lib.host.now;

const own = ownIdentity();
let dead: bigint;
let worker: Worker;
let broken: Promise<never>;
beforeAll(async () => {
  dead = await deadIdentity();
  lib.host.now = () => (time += 60);
  const env = { ...process.env, COEXIST_NO_WASM: '1' };
  const workerData = { copy: copyUrl('a', 'core.js'), dead };
  worker = new Worker(new URL('../../build/workers/lock-stepper.js', import.meta.url), { workerData, env });
  broken = new Promise((_, reject) => worker.once('error', reject));
  await Promise.race([broken, new Promise((resolve) => worker.once('message', resolve))]);
});
afterAll(async () => {
  lib.host.now = realNow;
  await worker.terminate();
});

const newMemory = (): SharedArrayBuffer => new SharedArrayBuffer(BYTES);

function perform(request: Omit<StepRequest, 'other' | 'timeout'>, timeout: number): Promise<CutResult> {
  worker.postMessage({ ...request, other: own, timeout });
  return Promise.race([
    broken,
    new Promise<CutResult>((resolve) => {
      worker.once('message', resolve);
    }),
  ]);
}

/** Cuts the operation there, on a memory of its own; with more time where a busy machine was too slow to get there. */
async function cut(operation: Operation, step: number, position: 'before' | 'after', goOn: boolean) {
  for (const timeout of TIMEOUTS) {
    const memory = newMemory();
    const result = await perform({ operation, memory, step, position, goOn }, timeout);
    if (result.stopped) return { memory, result };
  }
  throw new Error(`${operation} was not stopped ${position} step ${step}`);
}

interface Left {
  readonly operation: Operation;
  readonly step: number;
  readonly memory: SharedArrayBuffer;
}
const left: Left[] = [];
let victim = 0n;

describe('cut, and lives on', () => {
  test.each(Object.keys(PLAYS) as Operation[])('%s', async (operation) => {
    const whole = await perform({ operation, memory: newMemory(), step: 0, position: 'after', goOn: false }, 1000);
    expect(whole.error).toBe(operation.endsWith('given up') ? GIVEN_UP : '');
    expect(whole.steps).toBeGreaterThan(0);
    victim = whole.self;
    const wrong: string[] = [];
    for (let step = 1; step <= whole.steps; step++) {
      for (const position of ['before', 'after'] as const) {
        const { result } = await cut(operation, step, position, true);
        for (const text of result.wrong) wrong.push(`${position} step ${step} of ${whole.steps}: ${text}`);
      }
      const { memory } = await cut(operation, step, 'after', false);
      left.push({ operation, step, memory });
    }
    expect(wrong).toEqual([]);
  });
});

// Each finds out what is left, and returns what is wrong with it. What the other thread, played by this one, holds, is released first.

function mutexLeft({ operation, memory }: Left): string[] {
  const { long, storeLong } = wordsOf({ buffer: memory });
  const mutex = lib.Mutex.at(memory, LAYOUT.mutex);
  const word = long(LAYOUT.mutex);
  const owner = word & IDENTITY_MASK;
  if (word === NOT_RECOVERABLE) return operation === 'unlock, not consistent' ? [] : ['not recoverable'];
  if (owner === own) storeLong(LAYOUT.mutex, 0n);
  const guard = mutex.tryLock();
  if (guard === undefined) return [`the mutex cannot be locked: ${word}`];
  const wrong = guard.ownerDied === (owner === victim || owner === dead) ? [] : [`ownerDied is ${guard.ownerDied}`];
  if (guard.ownerDied) guard.markConsistent();
  guard.unlock();
  const next = mutex.lock({ timeout: 1000 });
  if (next.ownerDied) wrong.push('told twice');
  next.unlock();
  return wrong;
}

function rwlockLeft({ operation, memory }: Left): string[] {
  const { long, load, store, storeLong } = wordsOf({ buffer: memory });
  const holders = operation.endsWith('in the row of a dead reader') ? { holders: 1 } : undefined;
  const rwlock = lib.RwLock.at(memory, LAYOUT.rwlock, holders);
  const owner = long(LAYOUT.rwlock) & IDENTITY_MASK;
  if (owner === own) storeLong(LAYOUT.rwlock, 0n);
  const row = LAYOUT.rwlock + ROW;
  if (long(row) === own) store(row + HOLDER.count.offset, 0);
  const reader = long(row + HOLDER.identity.offset);
  // A row that was taken, and not cleared of what the last one counted, is nobody's yet.
  const read = reader !== 0n && reader === (reader & IDENTITY_MASK) && load(row + HOLDER.count.offset) !== 0;
  const guard = rwlock.tryWrite();
  if (guard === undefined) return ['cannot be written'];
  const wrong = guard.ownerDied === (owner === victim || owner === dead) ? [] : [`ownerDied is ${guard.ownerDied}`];
  if (guard.readersDied !== (read ? 1 : 0)) wrong.push(`readersDied is ${guard.readersDied}`);
  if (guard.ownerDied) guard.markConsistent();
  guard.unlock();
  const reading = rwlock.read({ timeout: 1000 });
  if (reading.mode !== 'read') wrong.push(`mode is ${reading.mode}`);
  reading.unlock();
  return wrong;
}

function semaphoreLeft({ operation, memory }: Left): string[] {
  const { long, store, storeLong } = wordsOf({ buffer: memory });
  const row = LAYOUT.semaphore + ROW;
  if (long(row) === own) {
    store(row + HOLDER.count.offset, 0);
    storeLong(row, 0n);
  }
  const semaphore = lib.Semaphore.at(memory, LAYOUT.semaphore, { permits: PERMITS });
  const all = semaphore.tryAcquire(PERMITS);
  all?.release();
  // Permits that were used up do not come back, those that were not do.
  if (all === undefined && operation !== 'forget') return ['permits are lost'];
  const most = all === undefined ? PERMITS - 1 : PERMITS;
  semaphore.acquire({ permits: most, timeout: 1000 }).release();
  return semaphore.available() === most ? [] : [`${semaphore.available()} permits are available, expected ${most}`];
}

function barrierLeft({ memory }: Left): string[] {
  const { long } = wordsOf({ buffer: memory });
  const rows = Array.from({ length: 4 }, (_, k) => long(LAYOUT.barrier + ROW + 16 * k) & IDENTITY_MASK);
  const party = rows.includes(victim);
  const barrier = lib.Barrier.at(memory, LAYOUT.barrier, { parties: 2 });
  let outcome: string;
  try {
    outcome = String(barrier.wait({ timeout: 5000 }));
  } catch (error) {
    outcome = String((error as core.CoexistError).code);
  }
  // An arrival of the dead thread's may have counted; who comes later sees that it is broken.
  const expected = party ? ['COEXIST_EBROKEN', 'true'] : ['COEXIST_ETIMEDOUT', 'true'];
  return expected.includes(outcome) ? [] : [`the barrier says ${outcome}, expected ${expected}`];
}

function onceLeft({ memory }: Left): string[] {
  const { long, storeLong } = wordsOf({ buffer: memory });
  if ((long(LAYOUT.once) & IDENTITY_MASK) === own) storeLong(LAYOUT.once, 0n);
  const word = long(LAYOUT.once);
  const told: boolean[] = [];
  lib.Once.at(memory, LAYOUT.once).call((state) => told.push(state.ownerDied), { timeout: 1000 });
  const expected = word === ONCE_DONE ? [] : [word !== 0n];
  return String(told) === String(expected) ? [] : [`told [${told}], expected [${expected}]`];
}

async function condvarLeft(state: Left): Promise<string[]> {
  const { load } = wordsOf({ buffer: state.memory });
  const wrong = mutexLeft(state);
  const counted = load(LAYOUT.condvar + CONDVAR.waiters.offset);
  if (counted > 1) wrong.push(`${counted} waiters`);
  const condvar = lib.Condvar.at(state.memory, LAYOUT.condvar);
  const guard = lib.Mutex.at(state.memory, LAYOUT.mutex).lock();
  const waiting = condvar.waitAsync(guard, { timeout: 100_000 });
  condvar.notify();
  await waiting;
  guard.unlock();
  return wrong;
}

const looks: readonly [RegExp, (left: Left) => string[] | Promise<string[]>][] = [
  [/^condvar/, condvarLeft],
  [/^once/, onceLeft],
  [/^barrier/, barrierLeft],
  [/acquire|semaphore|forget/, semaphoreLeft],
  [/read|write/, rwlockLeft],
  [/lock|consistent/, mutexLeft],
];

test('dies there, and others proceed', async () => {
  expect(left.length).toBeGreaterThan(Object.keys(PLAYS).length);
  await worker.terminate();
  await until('the death is visible', () => !livesInProc(victim));
  // Time passes by itself here: no sleep takes any.
  const sleeps = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
  const wrong: string[] = [];
  for (const state of left) {
    const look = looks.find(([name]) => name.test(state.operation))?.[1];
    const where = `${state.operation}, killed after step ${state.step}`;
    for (const text of (await look?.(state)) ?? ['no such look']) wrong.push(`${where}: ${text}`);
    const phase = wordsOf({ buffer: state.memory }).load(LAYOUT.barrier + BARRIER.phase.offset);
    if (!state.operation.startsWith('barrier') && phase !== 0) wrong.push(`${where}: wrote where it should not`);
  }
  sleeps.mockRestore();
  expect(wrong).toEqual([]);
});
