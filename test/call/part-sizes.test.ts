// A caller that is no library of ours, or memory that somebody wrote into: sizes that cannot be are refused, and the server serves on.

import { describe, expect, test } from 'vitest';
import { BACKENDS, type Backend } from '../support/backends.js';
import { libraryServes } from '../support/call-parties.js';
import { readList, written } from '../support/payloads.js';

describe.each(BACKENDS)('%s', (backend: Backend) => {
  test.each([
    ['a total beyond 2 GiB', { length: 16, total: 0xfffffff0 }],
    ['an empty part of a request that is not there yet', { length: 0, total: 300 }],
  ])('%s', (_what, { length, total }) => {
    const { raw, words, epoch, serveNow } = libraryServes(backend, { echo: (value: unknown) => value });
    const k = raw.claim() as number;
    raw.request(k, epoch, { encoding: written.latin1('').encoding, bytes: new Uint8Array(length), total });
    serveNow();
    expect(words.phase(k)).toBe('REPLY');
    const encoding = words.word(`cell${k}.encoding`);
    expect(encoding >>> 31).toBe(1);
    const parts: number[] = [...words.part(k)];
    for (const all = words.word(`cell${k}.total`); parts.length < all; parts.push(...words.part(k))) {
      raw.post(k);
      serveNow();
    }
    const [record] = readList(encoding, Uint8Array.from(parts)) as [{ error: { code?: unknown } }];
    expect(record.error.code).toBe('COEXIST_EINVAL');
    raw.free(k);
    const next = raw.claim() as number;
    raw.request(next, epoch, written.latin1('still here'));
    serveNow();
    expect(readList(words.word(`cell${next}.encoding`), Uint8Array.from(words.part(next)))).toEqual(['still here']);
  });
});
