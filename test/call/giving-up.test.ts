// Callers that stop waiting, by their time or their signal, while their request lies there, while its method runs, and while they wait for
// a cell: the cell comes back, and a late reply answers nobody else's call.

import { attach } from 'coexist';
import { connect, serve } from 'coexist/call';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support/actor.js';
import { type ActorMethods, Gate, startServer } from '../support/call-actors.js';
import { failure, rejection } from '../support/failures.js';

beforeAll(() => {
  attach();
});

describe('a request that nobody has taken', () => {
  test('is taken back, and never runs', async () => {
    const gate = new Gate();
    const server = await startServer({ name: 'not taken', gate, options: { cells: 2 } });
    const client = connect<ActorMethods>('not taken', { timeout: 20_000 });
    const held = client.call('hold');
    await gate.reached();
    // The server's thread is in hold(), so these lie there.
    failure('COEXIST_ETIMEDOUT', () => client.with({ timeout: 1 }).callSync('hold'));
    await rejection('COEXIST_ETIMEDOUT', client.with({ timeout: 1 }).call('hold'));
    const controller = new AbortController();
    const aborted = rejection('COEXIST_EABORTED', client.with({ signal: controller.signal }).call('hold'));
    await until('it has a cell', () => client.status().cells.free === 0);
    controller.abort(new Error('enough'));
    await aborted;
    expect(client.status().cells.free).toBe(1);
    gate.open();
    expect(await held).toBe('held');
    expect(client.callSync('add', 1, 2)).toBe(3);
    expect(gate.begun).toBe(1);
    client.close();
    await server.terminate();
  });

  test('with a signal that is aborted already, nothing is sent', async () => {
    const own = serve('aborted already', { any: () => 1 });
    const client = connect('aborted already');
    const over = client.with({ signal: AbortSignal.abort(new Error('before')) });
    failure('COEXIST_EABORTED', () => over.callSync('any'));
    await rejection('COEXIST_EABORTED', over.call('any'));
    expect(client.status().cells.free).toBe(16);
    own.close();
    client.close();
  });
});

test('many calls with one signal are no leak, and all end with it', async () => {
  const warnings: string[] = [];
  const note = ({ name }: Error): unknown => warnings.push(name);
  process.on('warning', note);
  const server = serve('many with one signal', { never: () => new Promise(() => {}) }, { cells: 4 });
  const controller = new AbortController();
  const client = connect('many with one signal').with({ signal: controller.signal });
  // Of some the method runs, the others wait for a cell.
  const calls = Array.from({ length: 40 }, () => rejection('COEXIST_EABORTED', client.call('never')));
  await until('all cells are taken', () => client.status().cells.free === 0);
  controller.abort();
  await Promise.all(calls);
  await new Promise(setImmediate);
  process.off('warning', note);
  expect(warnings).toEqual([]);
  server.close();
  client.close();
});

describe('a call that waits for a server', () => {
  test('passes what it was given, whatever its caller does with that meanwhile', async () => {
    const client = connect<{ echo(value: unknown): unknown }>('waits with arguments', { timeout: 20_000 });
    const value = { list: [1], shared: new SharedArrayBuffer(8) };
    const waiting = client.call('echo', value);
    value.list.push(2);
    const other = new Map([['a', 1]]);
    const second = client.call('echo', other);
    other.clear();
    const server = serve('waits with arguments', { echo: (given: unknown) => given });
    expect(((await waiting) as typeof value).list).toEqual([1]);
    expect(await second).toEqual(new Map([['a', 1]]));
    await rejection(
      'COEXIST_EINVAL',
      connect<{ echo(value: unknown): unknown }>('nobody serves this').call('echo', () => 1),
    );
    server.close();
    client.close();
  });
});

describe('a call whose method runs', () => {
  test.each(['sync', 'async'] as const)('is given up: its late reply answers nobody, %s', async (form) => {
    const name = `late, ${form}`;
    const gate = new Gate();
    const server = await startServer({ name, gate, options: { cells: 1 } });
    const client = connect<ActorMethods>(name, { timeout: 20_000 });
    const bounded = client.with({ timeout: 30 });
    // The method waits in the event loop: the server itself goes on.
    const { remedy } =
      form === 'sync'
        ? failure('COEXIST_ETIMEDOUT', () => bounded.callSync('holdAsync'))
        : await rejection('COEXIST_ETIMEDOUT', bounded.call('holdAsync'));
    expect(remedy).toContain('Whether it has run');
    expect(gate.begun).toBe(1);
    // Its cell is the server's until the method is done.
    expect(client.status().cells.free).toBe(0);
    const next = client.call('add', 20, 22);
    failure('COEXIST_ETIMEDOUT', () => client.with({ timeout: 1 }).callSync('add', 1, 1));
    gate.open();
    expect(await next).toBe(42);
    expect(client.callSync('echo', 'mine')).toBe('mine');
    expect(client.status().cells.free).toBe(1);
    client.close();
    await server.terminate();
  });

  test('its signal tells the method', async () => {
    const gate = new Gate();
    const server = await startServer({ name: 'told', gate });
    const client = connect<ActorMethods>('told', { timeout: 20_000 });
    const controller = new AbortController();
    const aborted = rejection('COEXIST_EABORTED', client.with({ signal: controller.signal }).call('watch'));
    await gate.reached();
    expect(gate.aborted).toBe(0);
    controller.abort();
    await aborted;
    await until('the method is told', () => gate.aborted === 1);
    failure('COEXIST_ETIMEDOUT', () => client.with({ timeout: 20 }).callSync('watch'));
    await until('the second one is told', () => gate.aborted === 2);
    await until('both cells are free', () => client.status().cells.free === 16);
    client.close();
    await server.terminate();
  });

  test('its signal tells a method that blocks, where it asks anew', async () => {
    const gate = new Gate();
    const client = connect<{ ask(): boolean }>('asks');
    const seen: boolean[] = [];
    const own = serve('asks', {
      async ask() {
        seen.push(this.signal.aborted);
        gate.open();
        controller.abort();
        seen.push(this.signal.aborted);
        return true;
      },
    });
    const controller = new AbortController();
    await rejection('COEXIST_EABORTED', client.with({ signal: controller.signal }).call('ask'));
    expect(seen).toEqual([false, true]);
    own.close();
    client.close();
  });
});

describe('more calls than cells', () => {
  test('wait for their turn', async () => {
    const server = await startServer({ name: 'few cells', options: { cells: 2 } });
    const client = connect<ActorMethods>('few cells', { timeout: 20_000 });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, k) => client.call('later', k)));
    expect(answers).toEqual(Array.from({ length: 40 }, (_, k) => k));
    expect(client.status().cells.free).toBe(2);
    client.close();
    await server.terminate();
  });

  test('a blocking one that waits for a cell which a call of its own thread holds', async () => {
    const server = await startServer({ name: 'own cell', options: { cells: 1 } });
    const client = connect<ActorMethods>('own cell', { timeout: 20_000 });
    const other = connect<ActorMethods>('own cell', { timeout: 20_000 });
    const first = client.call('echo', 'first');
    expect(client.callSync('echo', 'second')).toBe('second');
    expect(await first).toBe('first');
    const third = client.call('later', 'third');
    expect(other.callSync('echo', 'fourth')).toBe('fourth');
    expect(await third).toBe('third');
    client.close();
    other.close();
    await server.terminate();
  });

  test('wait no longer than their time or signal says', async () => {
    const gate = new Gate();
    const server = await startServer({ name: 'one cell', gate, options: { cells: 1 } });
    const client = connect<ActorMethods>('one cell', { timeout: 20_000 });
    const held = client.call('hold');
    await gate.reached();
    await rejection('COEXIST_ETIMEDOUT', client.with({ timeout: 1 }).call('add', 1, 1));
    failure('COEXIST_ETIMEDOUT', () => client.with({ timeout: 1 }).callSync('add', 1, 1));
    const controller = new AbortController();
    const aborted = rejection('COEXIST_EABORTED', client.with({ signal: controller.signal }).call('add', 1, 1));
    controller.abort();
    await aborted;
    gate.open();
    expect(await held).toBe('held');
    expect(await client.call('add', 1, 1)).toBe(2);
    client.close();
    await server.terminate();
  });
});

describe('closing', () => {
  test('a client ends its calls, and gives their cells back', async () => {
    const gate = new Gate();
    const server = await startServer({ name: 'closed client', gate, options: { cells: 3 } });
    const client = connect<ActorMethods>('closed client');
    const other = connect<ActorMethods>('closed client');
    const running = rejection('COEXIST_EGONE', client.call('holdAsync'));
    await gate.reached();
    client.close();
    client.close();
    await running;
    failure('COEXIST_EGONE', () => client.callSync('add', 1, 1));
    await rejection('COEXIST_EGONE', client.call('add', 1, 1));
    gate.open();
    await until('the cell is free', () => other.status().cells.free === 3);
    expect(other.callSync('add', 1, 1)).toBe(2);
    other.close();
    await server.terminate();
  });

  test('a server ends what is under way, at once', async () => {
    const gate = new Gate();
    const server = await startServer({ name: 'closed server', gate });
    const client = connect<ActorMethods>('closed server', { timeout: 20_000 });
    const calls = [client.call('watch'), client.call('holdAsync'), client.call('holdAsync')];
    const ended = calls.map((call) => rejection('COEXIST_EGONE', call));
    await gate.reached(3);
    await server.run(({ state }) => (state['server'] as { close(): void }).close());
    await Promise.all(ended);
    expect(gate.aborted).toBe(1);
    failure('COEXIST_EGONE', () => client.callSync('add', 1, 1));
    expect(client.status()).toMatchObject({ served: false, cells: { free: 16 } });
    client.close();
    await server.terminate();
  });
});
