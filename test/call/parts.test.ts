// What is longer than a cell goes in parts, in both directions, beside calls that fit.

import { attach } from 'coexist';
import { type Client, connect } from 'coexist/call';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { type ActorMethods, callIn, Gate, runIn, startServer } from '../support/call-actors.js';
import { rejection } from '../support/failures.js';

const SHAPE = { cells: 3, cellBytes: 128 };
const FORMS = ['sync', 'async'] as const;
const lengths = [0, 1, 87, 88, 89, 175, 176, 177, 1000, 10_000];
const textOf = (length: number, k: number): string => String.fromCharCode(97 + (k % 26)).repeat(length);

let server: Actor;
let client: Client<ActorMethods>;
const gate = new Gate();
beforeAll(async () => {
  attach();
  server = await startServer({ name: 'parts', gate, options: SHAPE });
  client = connect<ActorMethods>('parts', { timeout: 20_000 });
});
afterAll(async () => {
  client.close();
  await server.terminate();
});

describe.each(FORMS)('%s', (form) => {
  test('there and back, of any length', async () => {
    for (const [k, length] of lengths.entries()) {
      const text = textOf(length, k);
      expect(form === 'sync' ? client.callSync('echo', text) : await client.call('echo', text)).toBe(text);
    }
  });

  test('what is changed after the call has begun is not changed in what was sent', async () => {
    const bytes = new Uint8Array(1000).fill(1);
    const sent = client.call('later', bytes);
    bytes.fill(2);
    expect(await sent).toEqual(new Uint8Array(1000).fill(1));
  });

  test('to a thread that blocks in run()', async () => {
    const name = `parts in run(), ${form}`;
    const started = new Gate();
    const running = await startServer({ name, gate: started, options: SHAPE });
    runIn(running, started).catch(() => {});
    await started.reached();
    const other = connect<ActorMethods>(name, { timeout: 20_000 });
    const list = Array.from({ length: 200 }, (_, k) => ({ k, text: 'ä€' }));
    expect(form === 'sync' ? other.callSync('echo', list) : await other.call('echo', list)).toEqual(list);
    other.close();
    await running.terminate();
  });
});

test('several at a time, from two threads', async () => {
  const caller = await Actor.start();
  const all = Array.from({ length: 12 }, (_, k) => textOf(300 + 40 * k, k));
  const [here, there] = await Promise.all([
    Promise.all(all.map((text) => client.call('later', text))),
    Promise.all(all.map((text) => callIn(caller, { name: 'parts', form: 'async', method: 'later', args: [text] }))),
  ]);
  expect(here).toEqual(all);
  expect(there.map(({ value }) => value)).toEqual(all);
  await caller.terminate();
});

test('an error in parts', async () => {
  const message = 'x'.repeat(2000);
  await expect(client.call('fail', message)).rejects.toMatchObject({ name: 'RangeError', message });
});

test('a caller that gives up between parts leaves nothing behind', async () => {
  const before = client.status().cells.free;
  const controller = new AbortController();
  const bounded = client.with({ signal: controller.signal });
  const calls = Array.from({ length: 8 }, (_, k) => bounded.call('echo', textOf(50_000, k)));
  const ended = Promise.allSettled(calls);
  await client.call('add', 1, 1);
  controller.abort();
  for (const outcome of await ended) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'COEXIST_EABORTED' });
  }
  expect(await client.call('echo', textOf(500, 1))).toBe(textOf(500, 1));
  expect(client.status().cells.free).toBe(before);
});

test('a reply of shared memory to a caller that has no port yet', async () => {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  for (const form of FORMS) {
    const own = connect<ActorMethods>('parts', { timeout: 20_000 });
    const back = (form === 'sync' ? own.callSync('echo', shared) : await own.call('echo', shared)) as typeof shared;
    shared[0] = (shared[0] as number) + 1;
    expect(back[0]).toBe(shared[0]);
    own.close();
  }
  await rejection(
    'COEXIST_EINVAL',
    client.call('echo', () => 1),
  );
});
