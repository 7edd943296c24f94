// Clause 36: what the directory refuses, naming both sides, and that nothing has changed then.

import { register } from 'coexist';
import { Counter, PerThread, type PerThreadOptions } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged, openIn, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';

describe.each(BACKENDS)('%s', (backend) => {
  const made = () => {
    const area = smallArea(backend);
    new PerThread('taken', { type: 'u32', length: 4, version: 2, area }).dispose();
    return { area, bytes: bytesOf(area) };
  };

  test.each([
    ['kind', () => ({ kind: 'counter' }), { kind: 'key' }],
    ['version', () => ({ type: 'u32', length: 4, version: 3 }), { version: 2 }],
    ['size', () => ({ type: 'u32', length: 5, version: 2 }), { size: 16 }],
    ['size', () => ({ type: 'u32', length: 4, version: 2, fresh: true }), { size: 16, flags: 0 }],
    ['flags', () => ({ type: 'u32', length: 2, version: 2, fresh: true }), { flags: 0 }],
  ] as const)('the same name with another %s: COEXIST_EKIND', async (differs, options, found) => {
    const { area, bytes } = made();
    const before = bytes.snapshot();
    const { lib, area: same } = await openIn('b', backend, area);
    const wanted = options();
    for (const { Counter: C, PerThread: P, on } of [
      { Counter, PerThread, on: area },
      {
        Counter: lib.Counter as unknown as typeof Counter,
        PerThread: lib.PerThread as unknown as typeof PerThread,
        on: same,
      },
    ]) {
      const error = failure('COEXIST_EKIND', () =>
        'kind' in wanted
          ? new C('taken', { area: on })
          : new P('taken', { ...(wanted as PerThreadOptions<'u32'>), area: on }),
      );
      expect(error.found).toMatchObject({ name: 'taken', ...found });
      expect(error.expected).toMatchObject({ name: 'taken' });
      expect(error.message).toMatch(new RegExp(`"taken" has ${differs} \\w+, expected \\w+`));
      const [there, here] = [error.found, error.expected] as Record<string, unknown>[];
      expect(there?.[differs]).not.toEqual(here?.[differs]);
    }
    expect(bytes.changed(before)).toEqual([]);
  });

  test('the same name and shape is the same object, whatever its element type', () => {
    const { area, bytes } = made();
    const before = bytes.snapshot();
    new PerThread('taken', { type: 'i32', length: 4, version: 2, area }).dispose();
    new PerThread('taken', { type: 'f64', length: 2, version: 2, area }).dispose();
    expect(bytes.changed(before).filter((name) => !name.startsWith('slot[0]'))).toEqual([]);
  });

  test('names of different kinds do not collide through the prefix of libraries', () => {
    const { area, bytes } = made();
    register({ area, name: 'taken' });
    expect([bytes.entryName(0), bytes.entryName(1)]).toEqual(['taken', 'library:taken']);
    expect(bytes.holders(0)).toBe(1n);
  });

  test('a full directory: COEXIST_ENOSPC for what is new, and what is there is found', () => {
    const area = openForged(backend, (bytes) => bytes.setHeader('directory_capacity', 3));
    const bytes = bytesOf(area);
    for (const name of ['a', 'b', 'c']) new Counter(name, { area });
    const before = bytes.snapshot();
    expect(failure('COEXIST_ENOSPC', () => new Counter('d', { area })).message).toContain('all 3 directory entries');
    expect(bytes.changed(before)).toEqual([]);
    new Counter('c', { area }).add(1);
    expect(bytes.entryName(2)).toBe('c');
  });

  test('names that are no string of 1 to 80 bytes of well-formed UTF-8: COEXIST_EINVAL', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const before = bytes.snapshot();
    const bad: unknown[] = [
      '',
      'x'.repeat(81),
      'é'.repeat(41),
      '\ud83d',
      'a\udc00b',
      '\ud83d\ud83d\ude00',
      7,
      null,
      undefined,
      {},
      Symbol('s'),
    ];
    for (const name of bad) {
      expect(failure('COEXIST_EINVAL', () => new Counter(name as string, { area })).found).toBe(name);
      failure('COEXIST_EINVAL', () => new PerThread(name as string, { type: 'u8', length: 1, area }));
    }
    expect(bytes.changed(before)).toEqual([]);
    for (const name of ['x', 'x'.repeat(80), '😀'.repeat(20), '\u0000']) new Counter(name, { area });
    expect([0, 1, 2, 3].map((k) => bytes.entry(k, 'name_length'))).toEqual([1, 80, 80, 1]);
  });
});
