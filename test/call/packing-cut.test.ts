// A list whose packing was cut by a vm timeout, in an accessor that does not end: the next ones are packed again.

import { runInNewContext } from 'node:vm';
import { ENCODINGS } from 'coexist/abi';
import { connect, serve } from 'coexist/call';
import { expect, test } from 'vitest';
import { smallArea } from '../support/backends.js';
import { channelWords } from '../support/call-memory.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('lists are packed again when the event loop has turned', async () => {
  const area = smallArea('wasm', { heapBytes: 16384 });
  const options = { area, cells: 2, cellBytes: 1024 };
  const server = serve('packing', { plain: (_: unknown) => ({ a: 1, b: 'x' }) }, options);
  const client = connect<{ plain(value: unknown): unknown }>('packing', options);
  const words = channelWords(area, 'packing');
  const encodings = (): number[] => {
    words.plant({ 'cell0.encoding': 0, 'cell1.encoding': 0 });
    expect(client.callSync('plain', { c: 1 })).toEqual({ a: 1, b: 'x' });
    return [0, 1].map((k) => words.word(`cell${k}.encoding`) & 0xff).filter((encoding) => encoding !== 0);
  };
  expect(encodings()).toEqual([ENCODINGS.packed]);
  const endless = {
    get never(): never {
      for (;;);
    },
  };
  const call = (): unknown => client.callSync('plain', endless);
  expect(() => runInNewContext('call()', { call }, { timeout: 20 })).toThrow(/timed out/);
  // It may be below an accessor as well.
  expect(encodings()).toEqual([ENCODINGS.engine]);
  await turn();
  expect(encodings()).toEqual([ENCODINGS.packed]);
  client.close();
  server.close();
});
