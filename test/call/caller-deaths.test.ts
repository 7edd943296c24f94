// The caller's thread ends at each phase of its call: its cell is found by whoever needs one, and a reply that comes late answers nobody
// else's call.

import { type Area, attach } from 'coexist';
import {
  givenUp,
  PHASE_GONE,
  PHASE_IDLE,
  PHASE_MASK,
  PHASE_REPLY,
  PHASE_REQUEST,
  PHASE_TAKEN,
  PHASE_WANT,
} from 'coexist/abi';
import { connect, serve } from 'coexist/call';
import { beforeAll, describe, expect, test } from 'vitest';
import { Actor, until } from '../support/actor.js';
import { type ActorMethods, callIn, Gate, startServer } from '../support/call-actors.js';
import { channelBytes } from '../support/channel-bytes.js';
import { rejection } from '../support/failures.js';
import { identityOf, livesInProc, NO_SUCH_THREAD, UNKNOWABLE } from '../support/threads.js';

let area: Area;
beforeAll(() => {
  area = attach();
});

/** A caller that can be ended while it blocks. */
async function startVictim(): Promise<{ readonly caller: Actor; die(): Promise<void> }> {
  const caller = await Actor.start();
  const identity = await identityOf(caller);
  return {
    caller,
    async die() {
      await caller.terminate();
      await until('its death is visible', () => !livesInProc(identity));
    },
  };
}

describe.each(['sync', 'async'] as const)('a caller of %s calls dies', (form) => {
  test('while its request lies there: it never runs', async () => {
    const name = `dies, request, ${form}`;
    const gate = new Gate();
    const server = await startServer({ name, gate, options: { cells: 2 } });
    const channel = channelBytes(area, name);
    const client = connect<ActorMethods>(name, { timeout: 20_000 });
    const held = client.call('hold');
    await gate.reached();
    const { caller, die } = await startVictim();
    callIn(caller, { name, form, method: 'hold' }).catch(() => {});
    await until('the request lies there', () => (channel.cell(1, 'state') & PHASE_MASK) === PHASE_REQUEST);
    await die();
    // Both cells are taken, one by a dead thread: this call gets that one.
    const next = client.call('add', 1, 2);
    await until('it was claimed', () => channel.caller(1) === channel.caller(0));
    gate.open();
    expect(await held).toBe('held');
    expect(await next).toBe(3);
    expect(gate.begun).toBe(1);
    expect(client.status().cells.free).toBe(2);
    client.close();
    await server.terminate();
  });

  test('while its method runs: the late reply answers nobody', async () => {
    const name = `dies, taken, ${form}`;
    const gate = new Gate();
    const server = await startServer({ name, gate, options: { cells: 1 } });
    const { caller, die } = await startVictim();
    callIn(caller, { name, form, method: 'holdAsync' }).catch(() => {});
    await gate.reached();
    await die();
    const client = connect<ActorMethods>(name, { timeout: 20_000 });
    // As long as the method runs the cell is the server's.
    await rejection('COEXIST_ETIMEDOUT', client.with({ timeout: 60 }).call('add', 1, 2));
    const next = client.call('echo', 'mine');
    gate.open();
    expect(await next).toBe('mine');
    expect(client.callSync('add', 20, 22)).toBe(42);
    expect(client.status().cells.free).toBe(1);
    client.close();
    await server.terminate();
  });

  test('while a method of it has asked for its signal', async () => {
    const name = `dies, watched, ${form}`;
    const gate = new Gate();
    const server = await startServer({ name, gate, options: { cells: 1 } });
    const { caller, die } = await startVictim();
    callIn(caller, { name, form, method: 'watch' }).catch(() => {});
    await gate.reached();
    await die();
    await until('the method is told', () => gate.aborted === 1);
    const client = connect<ActorMethods>(name, { timeout: 20_000 });
    expect(client.callSync('add', 1, 2)).toBe(3);
    client.close();
    await server.terminate();
  });
});

describe('what the dead have left in the only cell', () => {
  const TICKET = 9;
  const EPOCH_AFTER = 2;
  const rows: readonly (readonly [string, bigint, number, boolean])[] = [
    ['IDLE', NO_SUCH_THREAD, PHASE_IDLE, true],
    ['REQUEST', NO_SUCH_THREAD, PHASE_REQUEST, true],
    ['TAKEN', NO_SUCH_THREAD, PHASE_TAKEN, false],
    ['WANT', NO_SUCH_THREAD, PHASE_WANT, true],
    ['REPLY', NO_SUCH_THREAD, PHASE_REPLY, true],
    ['GONE', NO_SUCH_THREAD, PHASE_GONE, true],
    ['given up, TAKEN', givenUp(EPOCH_AFTER, TICKET), PHASE_TAKEN, false],
    ['given up, left', givenUp(EPOCH_AFTER, TICKET), PHASE_REPLY, true],
    ['nobody knows whether it lives', UNKNOWABLE, PHASE_REPLY, false],
  ];

  test.each(rows)('%s', async (name, caller, phase, claimable) => {
    const label = `left: ${name}`;
    const own = serve(label, { any: (n: number) => n }, { cells: 1, cellBytes: 128 });
    expect(own.epoch).toBe(EPOCH_AFTER);
    const channel = channelBytes(area, label);
    channel.setCell(0, 'state', (TICKET << 4) | phase);
    channel.setCell(0, 'epoch', own.epoch);
    channel.setCaller(0, caller);
    const client = connect<{ any(n: number): number }>(label);
    const call = client.with({ timeout: claimable ? 20_000 : 1 }).call('any', 7);
    if (claimable) {
      expect(await call).toBe(7);
      expect(channel.cell(0, 'state') >>> 4).toBe(TICKET + 1);
      expect(channel.caller(0)).toBe(0n);
    } else {
      await rejection('COEXIST_ETIMEDOUT', call);
      expect(channel.caller(0)).toBe(caller);
      expect(channel.cell(0, 'state')).toBe((TICKET << 4) | phase);
      // Its epoch being over, nobody will leave it: the next server frees it, or whoever needs a cell.
      own.close();
      const next = serve(label, { any: (n: number) => n });
      if (caller === UNKNOWABLE) channel.setCaller(0, 0n);
      expect(await client.call('any', 8)).toBe(8);
      next.close();
    }
    client.close();
    own.close();
  });

  test('a request of an earlier epoch is not run, whoever made it', async () => {
    let runs = 0;
    const methods = { any: () => ++runs };
    const own = serve('earlier epoch', methods, { cells: 2, cellBytes: 128 });
    const channel = channelBytes(area, 'earlier epoch');
    channel.setCell(1, 'state', (TICKET << 4) | PHASE_REQUEST);
    channel.setCell(1, 'epoch', own.epoch - 2);
    channel.setCaller(1, UNKNOWABLE);
    channel.setWord('ready', 0b10);
    const client = connect<typeof methods>('earlier epoch');
    expect(await client.call('any')).toBe(1);
    expect(channel.cell(1, 'state')).toBe((TICKET << 4) | PHASE_GONE);
    expect(runs).toBe(1);
    channel.setCaller(1, 0n);
    own.close();
    client.close();
  });
});
