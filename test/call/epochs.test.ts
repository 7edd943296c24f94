// What a server makes of a request from an earlier epoch (docs/ABI.md, clauses 63 to 65) whose caller leaves the cell, to the next one,
// while the server looks at it.

import { serve } from 'coexist/call';
import { expect, test } from 'vitest';
import { smallArea } from '../support/backends.js';
import { channelWords, numbers, numbersEncoding, state } from '../support/call-memory.js';

const [LATE, NEXT] = [101n, 102n];

test('a request of the next caller is not taken for the late one', () => {
  const area = smallArea('twin', { heapBytes: 8192 });
  const served: number[] = [];
  const methods = { note: (value: number): number => -served.push(value) };
  const options = { area, cells: 1, cellBytes: 128 };
  const earlier = serve('epochs', methods, options);
  earlier.close();
  const server = serve('epochs', methods, options);
  const words = channelWords(area, 'epochs');
  const futex = words.futexOf('cell0.state');

  const ask = (caller: bigint, ticket: number, epoch: number, value: number): void => {
    new Uint8Array(area.buffer).set(numbers(value), words.dataAt(0));
    const part = { 'cell0.encoding': numbersEncoding(1), 'cell0.length': 8, 'cell0.total': 8 };
    words.plant({ 'cell0.caller': caller, 'cell0.epoch': epoch, ...part });
    words.plant({ 'cell0.state': state(ticket, 'REQUEST'), ready: 1 });
  };

  ask(LATE, 1, earlier.epoch, 1);
  const { compareExchange } = Atomics;
  let taken = 0;
  const interrupted = (array: Int32Array, index: number, expected: number, replacement: number): number => {
    const found = compareExchange(array, index, expected, replacement);
    const takes = array instanceof Int32Array && index === futex && replacement === state(1, 'TAKEN');
    if (takes && found === expected && taken++ === 0) {
      // Its epoch is over: it ends the call, and frees the cell, which the next caller claims.
      words.plant({ 'cell0.state': state(1, 'GONE') });
      words.plant({ 'cell0.caller': 0n });
      ask(NEXT, 2, server.epoch, 2);
    }
    return found;
  };
  Atomics.compareExchange = interrupted as typeof compareExchange;
  try {
    while (server.run({ timeout: 0 }) > 0) {}
  } finally {
    Atomics.compareExchange = compareExchange;
  }
  expect(taken).toBe(1);
  expect(served).toEqual([2]);
  expect(words.phase(0)).toBe('REPLY');
  expect(words.ticket(0)).toBe(2);
  server.close();
});
