// Clause 66: what bytes cannot carry, which is posted beside the cell, and errors, which are passed as data.

import { BESIDE_PREFIX, ENCODINGS, FAILED_BIT } from 'coexist/abi';
import { describe, expect, test } from 'vitest';
import { until } from '../support/actor.js';
import { BACKENDS, type Backend } from '../support/backends.js';
import { libraryCalls, libraryServes } from '../support/call-parties.js';
import { encodingName, failed, readList, written } from '../support/payloads.js';
import { withSleeps } from '../support/sleeps.js';

type Echo = { echo(...values: unknown[]): unknown };

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe('beside', () => {
    const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
    const channelOf = (area: { readonly id: number }, port: number) =>
      new BroadcastChannel(`${BESIDE_PREFIX}${hex(area.id)}.${hex(port)}`);
    interface Posted {
      readonly number: number;
      readonly list: unknown[];
    }
    const messages = (channel: { onmessage: unknown }): Posted[] => {
      const seen: Posted[] = [];
      channel.onmessage = ({ data }: { data: Posted }) => seen.push(data);
      return seen;
    };

    test('shared memory is posted to the server’s port before the cell is passed on', async () => {
      const { client, words, raw } = libraryCalls<Echo>(backend, ['echo']);
      words.plant({ port: 0xabcdef });
      const channel = channelOf(words.area, 0xabcdef);
      try {
        const seen = messages(channel);
        const memory = new SharedArrayBuffer(8);
        const result = client.call('echo', memory, 'beside it');
        await until('the request is there', () => words.phase(0) === 'REQUEST');
        await until('the message is there', () => seen.length === 1);
        const { number, list } = seen[0] as Posted;
        expect([encodingName(words.word('cell0.encoding')), words.word('cell0.length')]).toEqual(['beside', 4]);
        expect(new Uint32Array(Uint8Array.from(words.part(0)).buffer)[0]).toBe(number);
        new Int32Array(memory)[0] = 77;
        expect(new Int32Array(list[0] as SharedArrayBuffer)[0]).toBe(77);
        expect(list[1]).toBe('beside it');
        raw.serve(() => written.numbers(1));
        expect(await result).toBe(1);
      } finally {
        channel.close();
      }
    });

    test('what was posted to the library’s server is taken by its number', async () => {
      const { words, raw, epoch, server } = libraryServes(backend, { echo: (first: unknown) => first });
      const port = words.word('port');
      expect(port).not.toBe(0);
      const channel = channelOf(words.area, port);
      try {
        const memory = new SharedArrayBuffer(8);
        channel.postMessage({ number: 12345, list: ['first', memory] });
        const k = raw.claim() as number;
        raw.request(k, epoch, { encoding: ENCODINGS.beside, bytes: new Uint8Array(Uint32Array.of(12345).buffer) });
        await until('it is answered', () => raw.answered(k));
        expect(readList(words.word(`cell${k}.encoding`), Uint8Array.from(words.part(k)))).toEqual(['first']);
        server.close();
      } finally {
        channel.close();
      }
    });

    test('a reply for a caller without a port: encoding 8, length 0, total 4; it makes one and asks again', async () => {
      const { words, raw, epoch, serveNow } = libraryServes(backend, { memory: () => new SharedArrayBuffer(16) });
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: 0, bytes: new Uint8Array(0) });
      serveNow();
      const cell = words.cell(k);
      expect([words.phase(k), encodingName(words.word(`cell${k}.encoding`)), cell['length'], cell['total']]).toEqual([
        'REPLY',
        'beside',
        undefined,
        4,
      ]);
      const channel = channelOf(words.area, 0x1234);
      try {
        const seen = messages(channel);
        words.plant({ [`cell${k}.port`]: 0x1234 });
        raw.post(k);
        serveNow();
        expect([words.phase(k), words.word(`cell${k}.length`)]).toEqual(['REPLY', 4]);
        await until('the message is there', () => seen.length === 1);
        expect(new Uint32Array(Uint8Array.from(words.part(k)).buffer)[0]).toBe(seen[0]?.number);
        expect(seen[0]?.list[0]).toBeInstanceOf(SharedArrayBuffer);
      } finally {
        channel.close();
      }
    });
  });

  describe('errors', () => {
    test('are plain data: name, message, stack, cause, and what else they own', () => {
      const cause = new TypeError('the cause', { cause: 'a value' });
      const { words, raw, epoch, serveNow } = libraryServes(backend, {
        fail() {
          throw Object.assign(new RangeError('planned', { cause }), { code: 'E_PLANNED', extra: [1, 2] });
        },
      });
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: 0, bytes: new Uint8Array(0) });
      serveNow();
      const encoding = words.word(`cell${k}.encoding`);
      const bytes = [...words.part(k)];
      while (bytes.length < words.word(`cell${k}.total`)) {
        raw.post(k);
        serveNow();
        bytes.push(...words.part(k));
      }
      expect(failed(encoding)).toBe(true);
      const [record] = readList(encoding, Uint8Array.from(bytes)) as [Record<string, unknown>];
      const error = (record['error'] ?? record) as Record<string, unknown>;
      expect(error).toMatchObject({ name: 'RangeError', message: 'planned', code: 'E_PLANNED' });
      expect(error['stack']).toContain('RangeError: planned');
      expect(JSON.stringify(error['cause'])).toContain('the cause');
      expect(JSON.stringify(error)).toContain('"extra":[1,2]');
    });

    test('the library makes an error of them', () => {
      const { client, raw } = libraryCalls<Echo>(backend, ['echo']);
      const record = {
        name: 'TypeError',
        message: 'from afar',
        cause: { error: { name: 'Error', message: 'inner' } },
      };
      for (const value of [record, { error: record }, { value: 'thrown' }]) {
        const { error } = withSleeps(
          () => client.callSync('echo'),
          () => {
            const { encoding, bytes } = written.engine([value]);
            raw.serve(() => ({ encoding: (encoding | FAILED_BIT) >>> 0, bytes }));
          },
        );
        if ('value' in value) expect(error).toBe('thrown');
        else {
          expect(error).toBeInstanceOf(TypeError);
          expect((error as Error).message).toBe('from afar');
          expect((error as { cause?: Error }).cause?.message).toBe('inner');
        }
      }
    });
  });
});
