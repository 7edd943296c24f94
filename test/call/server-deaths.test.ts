// The server's thread ends, in every way and at every point: its callers are told COEXIST_EGONE, and whoever serves next serves new
// calls. That they are told within 200 ms of the death being visible is counted on a clock that stands still but for their sleeps.

import { type Area, attach } from 'coexist';
import { PHASE_MASK, PHASE_REQUEST, PHASE_TAKEN } from 'coexist/abi';
import { connect, serve } from 'coexist/call';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { type ActorMethods, callIn, Gate, runIn, startServer } from '../support/call-actors.js';
import { channelBytes } from '../support/channel-bytes.js';
import { deaths } from '../support/deaths.js';
import { failure } from '../support/failures.js';
import { withSleeps } from '../support/sleeps.js';
import { NO_SUCH_THREAD, UNKNOWABLE } from '../support/threads.js';

const BOUND_MS = 200;
const FORMS = ['sync', 'async'] as const;

let area: Area;
let caller: Actor;
beforeAll(async () => {
  area = attach();
  caller = await Actor.start();
});
afterAll(() => caller.terminate());

interface Case {
  readonly where: string;
  readonly method: string;
  readonly form: 'sync' | 'async';
  /** Whether the server's thread blocks in run(). */
  readonly run?: boolean;
}

const CASES: readonly Case[] = [
  { where: 'in its event loop, beside an asynchronous method', method: 'holdAsync', form: 'async' },
  { where: 'in its event loop, beside an asynchronous method', method: 'holdAsync', form: 'sync' },
  { where: 'in run(), beside an asynchronous method', method: 'holdAsync', form: 'async', run: true },
  { where: 'in run(), beside an asynchronous method', method: 'holdAsync', form: 'sync', run: true },
  { where: 'inside a method', method: 'hold', form: 'sync' },
  { where: 'inside a method', method: 'hold', form: 'async' },
  { where: 'inside a method in run()', method: 'hold', form: 'sync', run: true },
];

describe.each(CASES)('the server is terminated $where, its caller waiting $form', ({ where, method, form, run }) => {
  test('callers are told until somebody serves again', async () => {
    const name = `terminated ${where}, ${form}`;
    const gate = new Gate();
    const server = await startServer({ name, gate });
    if (run === true) {
      runIn(server, gate).catch(() => {});
      await gate.reached();
    }
    const begun = gate.begun;
    const call = callIn(caller, { name, form, method });
    await gate.reached(begun + 1);
    await server.terminate();
    expect(await call).toMatchObject({ code: 'COEXIST_EGONE' });
    for (const form of FORMS) {
      expect(await callIn(caller, { name, form, method: 'thread' })).toMatchObject({ code: 'COEXIST_EGONE' });
    }
    const next = await startServer({ name, gate });
    for (const form of FORMS) {
      expect(await callIn(caller, { name, form, method: 'thread' })).toEqual({ value: next.worker.threadId });
    }
    const client = connect<ActorMethods>(name);
    expect(client.status().cells.free).toBe(client.status().cells.total);
    client.close();
    await next.terminate();
  });
});

test.each(Object.keys(deaths).filter((way) => way !== 'out of memory'))('the way of its death: %s', async (way) => {
  const name = `way: ${way}`;
  const gate = new Gate();
  const server = await startServer({ name, gate });
  const call = callIn(caller, { name, form: 'async', method: 'holdAsync' });
  await gate.reached();
  // A server keeps its thread alive; so does the method that waits.
  if (way === 'natural end') {
    await server.run(({ state }) => void (state['server'] as { unref(): void }).unref());
    gate.open();
    expect(await call).toEqual({ value: 'held' });
  }
  await deaths[way]?.(server);
  if (way !== 'natural end') expect(await call).toMatchObject({ code: 'COEXIST_EGONE' });
  expect(await callIn(caller, { name, form: 'sync', method: 'thread' })).toMatchObject({ code: 'COEXIST_EGONE' });
  serve(name, {}).close();
});

describe('on a clock that stands still but for sleeps', () => {
  // The request of the second caller lies there while the first one's method holds the server's thread.
  test.each([
    ['REQUEST', 1, PHASE_REQUEST],
    ['TAKEN', 0, PHASE_TAKEN],
  ] as const)('a blocked caller is told within 200 ms: %s', async (phase, others, expected) => {
    const name = `clock, ${phase}`;
    const gate = new Gate();
    const server = await startServer({ name, gate });
    const channel = channelBytes(area, name);
    const identity = channel.server();
    const holding = others === 0 ? undefined : callIn(caller, { name, form: 'sync', method: 'hold' });
    if (holding !== undefined) await gate.reached();
    const client = connect<ActorMethods>(name);
    let slept = -1;
    const { error } = withSleeps(
      () => client.callSync('hold'),
      (n, { ms }) => {
        if (n === 0) gate.reachedBlocking();
        if (slept >= 0) slept += ms;
        if (n !== 3) return;
        expect(channel.cell(others, 'state') & PHASE_MASK).toBe(expected);
        channel.setServer(NO_SUCH_THREAD);
        slept = ms;
      },
    );
    expect(error).toMatchObject({ code: 'COEXIST_EGONE' });
    expect(slept).toBeGreaterThan(0);
    expect(slept).toBeLessThanOrEqual(BOUND_MS);
    // The first caller may have been told meanwhile, too.
    expect(channel.caller(others)).toBe(0n);
    channel.setServer(identity);
    client.close();
    gate.open();
    await holding;
    await server.terminate();
  });

  test('one that waits for a server that dies while it opens', () => {
    const client = connect('opening');
    const channel = channelBytes(area, 'opening');
    channel.setWord('epoch', 1);
    channel.setServer(BigInt(process.pid));
    const { error, sleeps } = withSleeps(
      () => client.callSync('any'),
      (n) => {
        if (n === 2) channel.setServer(NO_SUCH_THREAD);
      },
    );
    expect(error).toMatchObject({ code: 'COEXIST_EGONE' });
    expect(sleeps.length).toBeLessThanOrEqual(2 + BOUND_MS / 50);
    // The next server takes it over.
    const next = serve('opening', { any: () => 1 });
    expect(next.epoch).toBe(2);
    next.close();
    client.close();
  });

  test.each(['closes', 'dies'] as const)('one that waits for a cell of a server that %s', (how) => {
    const name = `no cell, ${how}`;
    const own = serve(name, { any: () => 1 }, { cells: 1, cellBytes: 128 });
    const client = connect<{ any(): number }>(name);
    const channel = channelBytes(area, name);
    channel.setCaller(0, UNKNOWABLE);
    const { error, sleeps } = withSleeps(
      () => client.callSync('any'),
      (n) => {
        if (n !== 1) return;
        if (how === 'closes') own.close();
        else channel.setServer(NO_SUCH_THREAD);
      },
    );
    expect(error).toMatchObject({ code: 'COEXIST_EGONE' });
    expect(sleeps.length).toBeLessThanOrEqual(1 + BOUND_MS / 50);
    channel.setCaller(0, 0n);
    own.close();
    client.close();
  });
});

test('a server that opens over a dead one ends what that has left', () => {
  const first = serve('left', { any: () => 1 }, { cells: 4, cellBytes: 128 });
  const channel = channelBytes(area, 'left');
  const epoch = first.epoch;
  const dead = NO_SUCH_THREAD;
  const plant = (k: number, caller: bigint, phase: number): void => {
    channel.setCell(k, 'state', (9 << 4) | phase);
    channel.setCell(k, 'epoch', epoch);
    channel.setCaller(k, caller);
  };
  // REQUEST, TAKEN and REPLY of callers that live as far as anybody can know; TAKEN that was given up.
  plant(0, UNKNOWABLE, 1);
  plant(1, UNKNOWABLE, 2);
  plant(2, UNKNOWABLE, 4);
  plant(3, -((BigInt(epoch) << 28n) + 9n), 2);
  first.unref();
  channel.setServer(dead);
  const second = serve('left', { any: () => 2 });
  expect([0, 1, 2, 3].map((k) => channel.cell(k, 'state') & 15)).toEqual([5, 5, 4, 5]);
  expect([0, 1, 2, 3].map((k) => channel.caller(k))).toEqual([UNKNOWABLE, UNKNOWABLE, UNKNOWABLE, 0n]);
  const client = connect<{ any(): number }>('left');
  expect(client.callSync('any')).toBe(2);
  failure('COEXIST_EEXIST', () => serve('left', {}));
  second.close();
  client.close();
});
