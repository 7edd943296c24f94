// Clause 62: the channel: an entry of its kind, constants, the words of the server, the names of its methods, and the cells.

import {
  CELL_ALIGN,
  CELL_BYTES_MIN,
  CHANNEL_CELLS_MAX,
  CHANNEL_CELLS_OFFSET,
  CHANNEL_NAMES_BYTES,
  CHANNEL_NAMES_OFFSET,
} from 'coexist/abi';
import { connect, serve } from 'coexist/call';
import { describe, expect, test } from 'vitest';
import { BACKENDS, type Backend, on, smallArea } from '../support/backends.js';
import { bellAt, channelWords, numbers, numbersEncoding, state } from '../support/call-memory.js';
import { CELLS, callArea, libraryCalls, libraryServes, Y_SLOT } from '../support/call-parties.js';
import { failure } from '../support/failures.js';
import { withSleeps } from '../support/sleeps.js';
import { ownIdentity } from '../support/threads.js';

const X = ownIdentity();

describe.each(BACKENDS)('%s', (backend: Backend) => {
  test('an entry of kind channel, version 1, 4096 bytes and the cells; nothing else is written', () => {
    const area = callArea(backend);
    const client = on(backend, () => connect('calc', { area, ...CELLS }));
    const words = channelWords(area, 'calc');
    expect([words.entry.version, words.entry.size]).toEqual([1, CHANNEL_CELLS_OFFSET + 2 * 192]);
    expect(words.bytes.entry(words.entry.number, 'flags')).toBe(0);
    expect(words.words()).toEqual({ cells: 2, cell_bytes: 192 });
    client.close();
    expect(words.words()).toEqual({ cells: 2, cell_bytes: 192 });
  });

  test('16 cells of 8192 bytes where nobody says otherwise; what is there is taken as it is', () => {
    const area = smallArea(backend, { heapBytes: 2 ** 18 });
    const server = on(backend, () => serve('calc', {}, { area }));
    const words = channelWords(area, 'calc');
    expect([words.cells, words.cellBytes]).toEqual([16, 8192]);
    server.close();
    const other = callArea(backend);
    on(backend, () => connect('calc', { area: other, ...CELLS })).close();
    on(backend, () => serve('calc', {}, { area: other })).close();
    on(backend, () => connect('calc', { area: other })).close();
    expect(channelWords(other, 'calc').words()).toMatchObject({ cells: 2, cell_bytes: 192 });
  });

  test('other constants than those that are there: COEXIST_EKIND, nothing changed', () => {
    const area = callArea(backend);
    on(backend, () => connect('calc', { area, ...CELLS }));
    const words = channelWords(area, 'calc');
    const before = words.words();
    for (const other of [
      { cells: 3, cellBytes: 192 },
      { cells: 2, cellBytes: 256 },
      // As many bytes in all.
      { cells: 1, cellBytes: 384 },
    ]) {
      failure('COEXIST_EKIND', () => on(backend, () => connect('calc', { area, ...other })));
      failure('COEXIST_EKIND', () => on(backend, () => serve('calc', {}, { area, ...other })));
    }
    expect(words.words()).toEqual(before);
  });

  test('1 to 32 cells of a multiple of 64 bytes, 128 at least: else COEXIST_EINVAL', () => {
    const area = callArea(backend);
    const wrong = [
      ...[0, CHANNEL_CELLS_MAX + 1, 1.5, -1, Number.NaN].map((cells) => ({ cells, cellBytes: 192 })),
      ...[0, CELL_ALIGN, CELL_BYTES_MIN + 8, 200, -128].map((cellBytes) => ({ cells: 2, cellBytes })),
    ];
    const before = area.buffer.slice(0);
    for (const options of wrong) {
      failure('COEXIST_EINVAL', () => on(backend, () => serve('calc', {}, { area, ...options })));
      failure('COEXIST_EINVAL', () => on(backend, () => connect('calc', { area, ...options })));
    }
    const used = (buffer: SharedArrayBuffer): string => Buffer.from(buffer, 0, 4096).toString('base64');
    expect(used(area.buffer)).toBe(used(before));
    on(backend, () => serve('least', {}, { area, cells: CHANNEL_CELLS_MAX, cellBytes: CELL_BYTES_MIN })).close();
    expect(channelWords(area, 'least').words()).toMatchObject({ cells: 32, cell_bytes: 128 });
  });

  test('the words of a server: identity, an even epoch, slot, names', () => {
    const { server, words } = libraryServes(backend, { add: () => 0, größer: () => 0, z: () => 0 });
    const found = words.words();
    expect(found).toEqual({
      server: X,
      epoch: 2,
      cells: 2,
      cell_bytes: 192,
      names_length: new TextEncoder().encode('add\0größer\0z').length,
      ...(words.word('port') !== 0 && { port: words.word('port') }),
    });
    expect(words.names()).toEqual(['add', 'größer', 'z']);
    expect([server.epoch, server.methods]).toEqual([2, ['add', 'größer', 'z']]);
    server.close();
    const { slot: _, ...rest } = words.words();
    expect(rest).toMatchObject({ epoch: 2, cells: 2 });
    expect(words.long('server')).toBe(0n);
  });

  test('a method’s number is its place among the names', () => {
    const { words, raw, epoch, serveNow } = libraryServes(backend, {
      zero: () => 'zero',
      one: () => 'one',
      two: () => 'two',
    });
    for (const [method, name] of ['zero', 'one', 'two'].entries()) {
      const k = raw.claim() as number;
      raw.request(k, epoch, { method, encoding: 0, bytes: new Uint8Array(0) });
      serveNow();
      expect(String.fromCharCode(...words.part(k))).toBe(name);
      raw.free(k);
    }
    const { client, words: other, raw: serving } = libraryCalls<{ b(): number }>(backend, ['a', 'b', 'c']);
    let method = -1;
    const { result } = withSleeps(
      () => client.callSync('b'),
      () => {
        method = other.word('cell0.method');
        serving.serve(() => ({ encoding: numbersEncoding(1), bytes: numbers(1) }));
      },
    );
    expect([method, result]).toEqual([1, 1]);
  });

  test('a number that names no method: the caller is told, nothing runs', () => {
    let ran = 0;
    const { words, raw, epoch, serveNow } = libraryServes(backend, { only: () => ran++ });
    const k = raw.claim() as number;
    raw.request(k, epoch, { method: 1, encoding: 0, bytes: new Uint8Array(0) });
    serveNow();
    expect([words.phase(k), words.word(`cell${k}.encoding`) >>> 31, ran]).toEqual(['REPLY', 1, 0]);
  });

  test('names of 3968 bytes in all at most, without a byte 0', () => {
    const area = callArea(backend);
    const long = (length: number) => ({ ['x'.repeat(length)]: () => 0, y: () => 0 });
    const server = on(backend, () => serve('calc', long(CHANNEL_NAMES_BYTES - 2), { area, ...CELLS }));
    const words = channelWords(area, 'calc');
    expect(words.word('names_length')).toBe(CHANNEL_NAMES_BYTES);
    expect(words.names().map((name) => name.length)).toEqual([CHANNEL_NAMES_BYTES - 2, 1]);
    server.close();
    const before = words.words();
    failure('COEXIST_EINVAL', () => on(backend, () => serve('calc', long(CHANNEL_NAMES_BYTES - 1), { area })));
    failure('COEXIST_EINVAL', () => on(backend, () => serve('calc', { 'a\0b': () => 0 }, { area })));
    expect(words.words()).toEqual(before);
    const none = on(backend, () => serve('calc', {}, { area }));
    expect([words.word('names_length'), none.methods]).toEqual([0, []]);
  });

  test('calls leave nothing behind but tickets and what cells held last, and nothing outside', () => {
    const { words, raw, epoch, serveNow } = libraryServes(backend, { add: (a: number, b: number) => a + b });
    const bells = [0, Y_SLOT].map((slot) => bellAt(words.bytes, slot)).map((at) => [at, at + 4] as const);
    const outside = words.outside(...bells);
    const around = words.bytes.u8.slice(words.at + CHANNEL_NAMES_OFFSET, words.at + CHANNEL_CELLS_OFFSET);
    for (let n = 1; n <= 5; n++) {
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: numbersEncoding(2), bytes: numbers(n, 2) });
      expect(words.word('ready')).toBe(1);
      serveNow();
      raw.free(k);
      expect([words.word('ready'), words.cell(0)['state']]).toEqual([0, state(n, 'REPLY')]);
    }
    expect(words.words()['reserved@40']).toBeUndefined();
    expect(Object.keys(words.words()).filter((name) => name.startsWith('reserved'))).toEqual([]);
    expect(words.cell(1)).toEqual({});
    expect(words.outside(...bells)).toBe(outside);
    expect(words.bytes.u8.slice(words.at + CHANNEL_NAMES_OFFSET, words.at + CHANNEL_CELLS_OFFSET)).toEqual(around);
  });
});
