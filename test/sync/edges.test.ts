// Locks at the edges of their clauses, each by a state written word by word: what an implementation is likely to get wrong.

import { Barrier, Condvar, Mutex, RwLock, Semaphore } from 'coexist/sync';
import { describe, expect, test } from 'vitest';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { forgottenThread, GUARDED, HOLDERS, lockMemory, row } from '../support/lock-memory.js';
import { ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();
const holders = HOLDERS;

describe.each(BACKENDS)('%s', (backend: Backend) => {
  test('rwlock: a thread that reads and would write is COEXIST_EDEADLK at once, whoever has the owner word', () => {
    const words = { holders, holders_used: 2, ...row(0, Y, 1), ...row(1, X, 1) };
    for (const owner of [Y, 0n]) {
      const bytes = lockMemory(backend, 'rwlock', { ...words, owner });
      const lock = on(backend, () => RwLock.at(bytes.memory, bytes.at, { holders }));
      failure('COEXIST_EDEADLK', () => lock.write({ timeout: 0 }));
    }
  });
  test('rwlock: bit 31 of the token of an asynchronous writer, uncontended', async () => {
    const bytes = lockMemory(backend, 'rwlock');
    await on(backend, () => RwLock.at(bytes.memory, bytes.at, { holders })).writeAsync();
    expect(bytes.words()).toEqual({ holders, owner: X, token: GUARDED + 1 });
  });
  test('semaphore: the count of a free row is meaningless', () => {
    const bytes = lockMemory(backend, 'semaphore', { holders_used: 1, ...row(0, 0n, 2) });
    const semaphore = on(backend, () => Semaphore.at(bytes.memory, bytes.at, { permits: 3, holders }));
    expect(semaphore.available()).toBe(3);
  });
  test('barrier: the count of a free row is meaningless', () => {
    const bytes = lockMemory(backend, 'barrier', { phase: 5, holders_used: 2, ...row(0, X), ...row(1, 0n, 2, 5) });
    const barrier = on(backend, () => Barrier.at(bytes.memory, bytes.at, { parties: 3, holders }));
    failure('COEXIST_ETIMEDOUT', () => barrier.wait({ timeout: 0 }));
  });
  test('semaphore: whoever takes over the row of a dead holder is told, as its permits come back with it', () => {
    const bytes = lockMemory(backend, 'semaphore', {
      holders_used: 4,
      ...row(0, dead, 2),
      ...row(1, Y, 1),
      ...row(2, Y, 1),
      ...row(3, Y, 1),
    });
    const semaphore = on(backend, () => Semaphore.at(bytes.memory, bytes.at, { permits: 9, holders }));
    expect(semaphore.acquire().ownerDied).toBe(true);
  });
  test('semaphore: forget() that is refused changes nothing', () => {
    const bytes = lockMemory(backend, 'semaphore');
    const semaphore = on(backend, () => Semaphore.at(bytes.memory, bytes.at, { permits: 9, holders }));
    const guard = semaphore.acquire({ permits: 2 });
    bytes.plant({ 'row0.count': 1 });
    failure('COEXIST_ENOTOWNER', () => guard.forget());
    expect(bytes.read('released')).toBe(0);
  });
  test('barrier: a wait shorter than a slice looks for dead parties before it gives up', () => {
    const bytes = lockMemory(backend, 'barrier', { phase: 5, holders_used: 2, ...row(0, dead, 1, 5), ...row(1, X) });
    const barrier = on(backend, () => Barrier.at(bytes.memory, bytes.at, { parties: 3, holders }));
    for (const timeout of [5, 0]) failure('COEXIST_EBROKEN', () => barrier.wait({ timeout }));
  });
  test('barrier: the row of a dead party is not handed on before the barrier is broken', () => {
    const rows = { ...row(0, dead, 1, 5), ...row(1, Y, 1, 5), ...row(2, Y + 1n, 1, 5), ...row(3, Y + 2n, 1, 5) };
    const bytes = lockMemory(backend, 'barrier', { phase: 5, holders_used: 4, ...rows });
    const barrier = on(backend, () => Barrier.at(bytes.memory, bytes.at, { parties: 5, holders }));
    failure('COEXIST_EBROKEN', () => barrier.wait({ timeout: 100 }));
  });
  test('placed in memory that has grown since it was first met', () => {
    const memory = new SharedArrayBuffer(64, { maxByteLength: 1024 });
    on(backend, () => Mutex.at(memory, 0)).lock();
    (memory as unknown as { grow(bytes: number): void }).grow(512);
    on(backend, () => Mutex.at(memory, 256))
      .lock()
      .unlock();
    expect(new BigInt64Array(memory)[32]).toBe(0n);
  });
  test('a name that is no string is COEXIST_EINVAL', () => {
    for (const name of [new SharedArrayBuffer(64), {}, new String('x')]) {
      for (const Class of [Mutex, RwLock, Condvar]) failure('COEXIST_EINVAL', () => new Class(name as never));
    }
  });
  test('condvar: a wake that was given for a waiter that gives up goes with it', () => {
    // The only waiter: it is notified while it gives up, so that the wake is counted and nobody is left to take it.
    const bytes = lockMemory(backend, 'condvar', { sequence: 0, wakes: 1, taken: 0 });
    const condvar = on(backend, () => Condvar.at(bytes.memory, bytes.at));
    const guard = { unlock() {}, relock() {}, relockAsync: async () => {} };
    failure('COEXIST_ETIMEDOUT', () => condvar.wait(guard, { timeout: 0 }));
    expect(bytes.words()).toEqual({ wakes: 1, taken: 1 });
  });
});
