// Calls between threads: blocking and asynchronous ones, from main to a worker and back, between workers, with servers in their event
// loops, in run(), and in both.

import { attach } from 'coexist';
import { type Client, connect, type Methods, serve } from 'coexist/call';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Actor, until } from '../support/actor.js';
import { type ActorMethods, callIn, Gate, runIn, serveIn, startServer } from '../support/call-actors.js';
import { failure, rejection } from '../support/failures.js';

const FORMS = ['sync', 'async'] as const;
type Form = (typeof FORMS)[number];

const invoke = <M extends Methods>(client: Client<M>, form: Form, method: string, ...args: unknown[]): unknown =>
  form === 'sync'
    ? (client as Client).callSync(method, ...(args as never[]))
    : (client as Client).call(method, ...(args as never[]));

let server: Actor;
let caller: Actor;
beforeAll(async () => {
  attach();
  server = await startServer({ name: 'main to worker' });
  caller = await Actor.start();
});
afterAll(async () => {
  await server.terminate();
  await caller.terminate();
});

describe.each(FORMS)('%s', (form) => {
  test('from main to the event loop of a worker', async () => {
    const client = connect<ActorMethods>('main to worker', { timeout: 20_000 });
    expect(await invoke(client, form, 'add', 2, 3)).toBe(5);
    expect(await invoke(client, form, 'add', 0.5, -0)).toBe(0.5);
    expect(await invoke(client, form, 'echo', { list: [1, 'two', null] })).toEqual({ list: [1, 'two', null] });
    expect(await invoke(client, form, 'echo')).toBeUndefined();
    expect(await invoke(client, form, 'later', 'a promise')).toBe('a promise');
    expect(await invoke(client, form, 'thread')).toBe(server.worker.threadId);
    client.close();
  });

  test('a method that throws', async () => {
    const client = connect<ActorMethods>('main to worker', { timeout: 20_000 });
    const thrown = await Promise.resolve()
      .then(() => invoke(client, form, 'fail', 'out of it'))
      .catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(RangeError);
    expect((thrown as Error).message).toBe('out of it');
    // Nothing is left of it.
    expect(await invoke(client, form, 'add', 1, 1)).toBe(2);
    client.close();
  });

  test('from a worker to the event loop of main, who is told who calls', async () => {
    const name = `worker to main, ${form}`;
    const opened = serve(name, {
      who() {
        return { ...this.caller };
      },
    });
    const { value } = await callIn(caller, { name, form, method: 'who' });
    expect(value).toEqual({ slot: expect.any(Number), threadId: caller.worker.threadId });
    opened.close();
  });

  test('to a thread that blocks in run()', async () => {
    const name = `run, ${form}`;
    const running = await startServer({ name });
    const gate = new Gate();
    const served = runIn(running, gate);
    await gate.reached();
    const client = connect<ActorMethods>(name, { timeout: 20_000 });
    for (let k = 0; k < 100; k++) expect(await invoke(client, form, 'add', k, 1)).toBe(k + 1);
    await Promise.resolve()
      .then(() => invoke(client, form, 'close'))
      .catch((error: unknown) => expect(error).toMatchObject({ code: 'COEXIST_EGONE' }));
    expect(await served).toBe(101);
    client.close();
    await running.terminate();
  });

  test('several callers at a time', async () => {
    const callers = [caller, await Actor.start()];
    const answers = await Promise.all(
      callers.flatMap((actor) =>
        Array.from({ length: 50 }, (_, k) =>
          callIn(actor, { name: 'main to worker', form, method: 'add', args: [k, 1] }),
        ),
      ),
    );
    expect(answers.map(({ value }) => value)).toEqual(
      callers.flatMap(() => Array.from({ length: 50 }, (_, k) => k + 1)),
    );
    await callers[1]?.terminate();
  });

  test('a call before anybody serves waits for it', async () => {
    const name = `not yet, ${form}`;
    const early = await Actor.start();
    const answer = callIn(early, { name, form, method: 'add', args: [20, 22] });
    const client = connect<ActorMethods>(name);
    expect(client.status()).toMatchObject({ served: false, epoch: 0, methods: [] });
    const late = await startServer({ name });
    expect(await answer).toEqual({ value: 42 });
    client.close();
    await Promise.all([early.terminate(), late.terminate()]);
  });

  test('nobody serves within the time', async () => {
    const client = connect(`nobody, ${form}`);
    const bounded = client.with({ timeout: 5 });
    if (form === 'sync') failure('COEXIST_ETIMEDOUT', () => bounded.callSync('any'));
    else await rejection('COEXIST_ETIMEDOUT', bounded.call('any'));
    client.close();
  });

  test('an unknown method is refused where it is called, with the names of those there are', async () => {
    const client = connect<Methods>('main to worker');
    const refused =
      form === 'sync'
        ? failure('COEXIST_EINVAL', () => client.callSync('addd'))
        : await rejection('COEXIST_EINVAL', client.call('addd'));
    expect(refused.expected).toContain('add');
    expect(refused.message).toContain('"add"');
    expect(client.status().cells.free).toBe(client.status().cells.total);
    client.close();
  });
});

describe('one name', () => {
  test('is served by one thread at a time', async () => {
    const refused = failure('COEXIST_EEXIST', () => serve('main to worker', {}));
    expect(refused.message).toContain(`thread ${server.worker.threadId}`);
    const own = serve('own', {});
    failure('COEXIST_EEXIST', () => serve('own', {}));
    own.close();
    serve('own', {}).close();
  });

  test('is served again after it was closed, in another epoch, for the same clients', async () => {
    const first = serve('again', { which: () => 1 });
    const client = connect<{ which(): number }>('again');
    expect(await client.call('which')).toBe(1);
    first.close();
    await rejection('COEXIST_EGONE', client.call('which'));
    expect(client.status()).toMatchObject({ served: false });
    const second = serve('again', { other: () => 3, which: () => 2 });
    expect(second.epoch).toBe(first.epoch + 2);
    expect(await client.call('which')).toBe(2);
    expect(client.status()).toMatchObject({ served: true, epoch: second.epoch, methods: ['other', 'which'] });
    client.close();
    second.close();
  });

  test('has one shape', () => {
    const first = connect('shape', { cells: 3, cellBytes: 192 });
    expect(first.status().cells).toEqual({ free: 3, total: 3, bytes: 192 });
    const same = connect('shape');
    expect(same.status().cells).toEqual({ free: 3, total: 3, bytes: 192 });
    failure('COEXIST_EKIND', () => connect('shape', { cells: 4 }));
    failure('COEXIST_EKIND', () => connect('shape', { cellBytes: 256 }));
    failure('COEXIST_EKIND', () => connect('shape', { cells: 4, cellBytes: 192 }));
    for (const cells of [0, 33, 1.5]) failure('COEXIST_EINVAL', () => connect('shape', { cells }));
    for (const cellBytes of [64, 130, 0]) failure('COEXIST_EINVAL', () => connect('shape', { cellBytes }));
    failure('COEXIST_EINVAL', () => connect('shape', { timeout: -1 }));
    failure('COEXIST_EINVAL', () => first.with({ timeout: Number.NaN }));
    first.close();
    same.close();
  });

  test('methods are functions with names that fit', () => {
    failure('COEXIST_EINVAL', () => serve('methods', null as never));
    failure('COEXIST_EINVAL', () => serve('methods', { no: 1 } as never));
    failure('COEXIST_EINVAL', () => serve('methods', { '': () => 1 }));
    failure('COEXIST_EINVAL', () => serve('methods', { 'a\0b': () => 1 }));
    failure('COEXIST_EINVAL', () => serve('methods', { ['x'.repeat(4000)]: () => 1 }));
    serve('methods', { 'ä b': () => 1 }).close();
  });
});

describe('a server in the same thread', () => {
  test('answers blocking calls, one inside the other, and asynchronous ones', async () => {
    const client = connect<{ down(n: number): number; slow(): Promise<number> }>('same thread');
    const own = serve('same thread', {
      down: (n: number): number => (n === 0 ? 0 : 1 + client.callSync('down', n - 1)),
      slow: async () => 5,
    });
    expect(client.callSync('down', 5)).toBe(5);
    expect(await client.call('slow')).toBe(5);
    // Its promise could not settle while this thread waits for it.
    failure('COEXIST_EDEADLK', () => client.callSync('slow'));
    expect(await client.call('down', 3)).toBe(3);
    await until('the cell is free', () => client.status().cells.free === 16);
    own.close();
    client.close();
  });

  test('that serves nothing while its thread blocks', async () => {
    const own = serve('not nested', { any: () => 1 }, { nested: false });
    const client = connect<{ any(): number }>('not nested');
    failure('COEXIST_EDEADLK', () => client.callSync('any'));
    expect(client.status().cells.free).toBe(16);
    expect(await client.call('any')).toBe(1);
    own.close();
    client.close();
  });
});

test('two threads that block in calls of each other serve each other', async () => {
  const other = await Actor.start();
  await callIn(other, { name: 'main to worker', form: 'sync', method: 'add', args: [1, 1] });
  await other.run(
    async ({ load }, { url }) => {
      const { connect, serve } = await load(url);
      const back = connect<{ pong(n: number): number }>('pong', { timeout: 20_000 });
      serve('ping', { ping: (n: number) => (n === 0 ? 0 : 1 + back.callSync('pong', n - 1)) });
    },
    { url: new URL('../../build/copies/b/dist/core.js', import.meta.url).href },
  );
  const client = connect<{ ping(n: number): number }>('ping', { timeout: 20_000 });
  const own = serve('pong', { pong: (n: number): number => (n === 0 ? 0 : 1 + client.callSync('ping', n - 1)) });
  expect(client.callSync('ping', 10)).toBe(10);
  own.close();
  client.close();
  await other.terminate();
});

test('a thread that waits in run() serves its other servers, too', async () => {
  const gate = new Gate();
  const both = await startServer({ name: 'first of two', gate });
  await serveIn(both, { name: 'second of two', gate, copy: 'b' });
  const begun = gate.begun;
  const running = runIn(both, gate);
  await gate.reached(begun + 1);
  const [first, second] = ['first of two', 'second of two'].map((name) =>
    connect<ActorMethods>(name, { timeout: 20_000 }),
  );
  expect(first?.callSync('add', 1, 2)).toBe(3);
  expect(second?.callSync('add', 3, 4)).toBe(7);
  await both.terminate();
  await running.catch(() => {});
});
