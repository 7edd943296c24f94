// What is wrong before anything is sent, and what lies in a cell that nobody could have sent: a typed error, and the server, the client
// and the cells are as before.

import { attach } from 'coexist';
import { connect, serve } from 'coexist/call';
import { beforeAll, describe, expect, test } from 'vitest';
import { smallArea } from '../support/backends.js';
import { channelWords, numbers, numbersEncoding, state } from '../support/call-memory.js';
import { failure, rejection } from '../support/failures.js';

beforeAll(() => {
  attach();
});

const WRONG: readonly unknown[] = [null, Number.NaN, -1, '5', {}, 5n, Symbol('no'), () => 5];
const NO_OBJECTS: readonly unknown[] = [50, 'x', true, 5n, Symbol('no'), () => {}];

describe('wrong options are COEXIST_EINVAL', () => {
  const shape = { cells: 1, cellBytes: 128 };

  test('of serve, connect and run', () => {
    const server = serve('input', { echo: (value: number) => value }, shape);
    const run = server.run.bind(server) as (options: unknown) => number;
    for (const wrong of [...NO_OBJECTS, null]) {
      failure('COEXIST_EINVAL', () => serve('input, other', {}, wrong as never));
      failure('COEXIST_EINVAL', () => connect('input', wrong as never));
    }
    for (const wrong of NO_OBJECTS) failure('COEXIST_EINVAL', () => run(wrong));
    for (const timeout of WRONG) failure('COEXIST_EINVAL', () => run({ timeout }));
    failure('COEXIST_EINVAL', () => connect('input', { area: null } as never));
    failure('COEXIST_EINVAL', () => serve('input, other', {}, { area: null } as never));
    expect(server.run({ timeout: 0 })).toBe(0);
    server.close();
  });

  test('of with, whether or not the reply would be there at once', () => {
    const server = serve('input of with', { echo: (value: number) => value }, shape);
    const client = connect<{ echo(value: number): number }>('input of with');
    expect(client.callSync('echo', 1)).toBe(1);
    for (const timeout of WRONG) failure('COEXIST_EINVAL', () => client.with({ timeout } as never));
    for (const signal of WRONG) failure('COEXIST_EINVAL', () => client.with({ signal } as never));
    for (const transfer of WRONG) failure('COEXIST_EINVAL', () => client.with({ transfer } as never));
    for (const wrong of NO_OBJECTS) failure('COEXIST_EINVAL', () => client.with(wrong as never));
    expect(client.callSync('echo', 2)).toBe(2);
    expect(client.status().cells.free).toBe(1);
    client.close();
    server.close();
  });
});

test('a client that is closed fails those, too, that wait for a cell', async () => {
  const server = serve('closed while waiting', { never: () => new Promise<void>(() => {}) }, { cells: 1 });
  const client = connect('closed while waiting');
  const calls = [1, 2, 3].map(() => rejection('COEXIST_EGONE', client.call('never')));
  await new Promise((resolve) => setImmediate(resolve));
  client.close();
  await Promise.all(calls);
  server.close();
});

test('a request that says it is longer than any can be fails, and the server goes on', () => {
  const area = smallArea('wasm', { heapBytes: 8192 });
  const server = serve('too long', { echo: (value: number) => value }, { area, cells: 1, cellBytes: 128 });
  const words = channelWords(area, 'too long');
  const ask = (ticket: number, total: number): void => {
    new Uint8Array(area.buffer).set(numbers(5), words.dataAt(0));
    words.plant({ 'cell0.encoding': numbersEncoding(1), 'cell0.length': 8, 'cell0.total': total });
    words.plant({
      'cell0.caller': 101n,
      'cell0.epoch': server.epoch,
      'cell0.state': state(ticket, 'REQUEST'),
      ready: 1,
    });
  };
  ask(1, 0xffffffff);
  expect(server.run({ timeout: 0 })).toBe(0);
  expect(words.phase(0)).toBe('REPLY');
  expect(words.word('cell0.encoding') >>> 31).toBe(1);
  ask(2, 8);
  expect(server.run({ timeout: 0 })).toBe(1);
  expect(words.phase(0)).toBe('REPLY');
  expect(words.word('cell0.encoding')).toBe(numbersEncoding(1));
  server.close();
});
