// Clause 66: payloads: every encoding is understood, what is written can be read by the clause alone, and parts. What goes beside, and
// errors: 66-beside-and-errors.test.ts.

import { COUNT_SHIFT, ENCODINGS } from 'coexist/abi';
import { describe, expect, test } from 'vitest';
import { BACKENDS, type Backend } from '../support/backends.js';
import { numbers } from '../support/call-memory.js';
import { libraryCalls, libraryServes } from '../support/call-parties.js';
import { encodingName, failed, readList, typedArrays, type Written, written } from '../support/payloads.js';
import { withSleeps } from '../support/sleeps.js';

type Echo = { echo(...values: unknown[]): unknown };

const cyclic: Record<string, unknown> = { name: 'loop' };
cyclic['self'] = cyclic;
const shared = { twice: 1 };

/** Lists of arguments, by what they are. */
const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  nothing: [],
  undefined: [undefined, undefined],
  numbers: [0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_VALUE, 2 ** 53],
  'one number': [42],
  latin1: ['grüße, \u0000ÿ'],
  'an empty string': [''],
  utf16: ['žluťoučký 🐎'],
  'a lone surrogate': ['a\ud800b'],
  'plain objects': [{ a: 1, b: [true, null, 'x'], c: { d: 'é' } }],
  'with other letters': [{ ключ: 'значение', n: [1, 2] }],
  several: ['a', 1, null, { x: [] }],
  undefineds: [1, undefined, { a: undefined }],
  'minus zero in it': [{ z: -0, y: [-0] }],
  'not finite': [{ n: Number.NaN, i: [Number.NEGATIVE_INFINITY] }],
  holes: [Object.assign(new Array(3), { 0: 1, 2: 3 })],
  'an array with a name': [Object.assign([1, 2], { name: 'x' })],
  'own toJSON': [{ toJSON: 'not a function', a: 1 }],
  'own __proto__': [JSON.parse('{"__proto__": {"polluted": true}, "a": 1}')],
  twice: [[shared, shared]],
  'twice, in two arguments': [shared, shared],
  cyclic: [cyclic],
  map: [
    new Map<unknown, unknown>([
      ['a', 1],
      [{ b: 2 }, new Set([3])],
    ]),
  ],
  date: [new Date(86_400_000), new Date(Number.NaN)],
  bigint: [2n ** 70n, [-1n]],
  regexp: [/a+\/b/giu],
  'array buffer': [Uint8Array.of(1, 2, 3).buffer],
  'views of one buffer': (() => {
    const { buffer } = new Float64Array([1, 2, 3]);
    return [new Uint8Array(buffer, 8, 4), new Float64Array(buffer)];
  })(),
  'wrapped values': [Object(1), Object('s'), Object(true)],
  null: [null],
  booleans: [true, false],
};

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const echoing = () => {
    let seen: unknown[] = [];
    const parties = libraryServes(backend, {
      echo: (...values: unknown[]) => {
        seen = values;
        return values[0];
      },
    });
    /** Passes what was written by hand, in one part or as many as it takes; what came back. */
    const call = ({ encoding, bytes }: Written): { encoding: number; list: unknown[]; bytes: Uint8Array } => {
      const { raw, words, epoch, serveNow } = parties;
      const k = raw.claim() as number;
      const { capacity } = words;
      raw.request(k, epoch, { encoding, bytes: bytes.slice(0, capacity), total: bytes.length });
      serveNow();
      for (let sent = capacity; sent < bytes.length; sent += capacity) {
        expect(words.phase(k)).toBe('WANT');
        raw.put(k, { encoding: 0, bytes: bytes.slice(sent, sent + capacity), total: bytes.length });
        raw.post(k);
        serveNow();
      }
      const reply = { encoding: words.word(`cell${k}.encoding`), total: words.word(`cell${k}.total`) };
      const parts: number[] = [];
      for (;;) {
        expect([words.phase(k), words.word(`cell${k}.total`)]).toEqual(['REPLY', reply.total]);
        parts.push(...words.part(k));
        if (parts.length >= reply.total) break;
        raw.post(k);
        serveNow();
      }
      raw.free(k);
      const all = Uint8Array.from(parts);
      return { encoding: reply.encoding, list: readList(reply.encoding, all), bytes: all };
    };
    return { ...parties, call, seen: () => seen };
  };

  describe('read', () => {
    test.each([
      ['nothing', written.nothing(0), []],
      ['nothing, three times', written.nothing(3), [undefined, undefined, undefined]],
      ['numbers', written.numbers(1, -0, Number.NaN), [1, -0, Number.NaN]],
      ['no numbers', written.numbers(), []],
      ['latin1', written.latin1('ÿ\u0000a'), ['ÿ\u0000a']],
      ['latin1, empty', written.latin1(''), ['']],
      ['utf16', written.utf16('ž\ud800'), ['ž\ud800']],
      ['json', written.json(['é', { a: [1, null] }]), ['é', { a: [1, null] }]],
      ['json16', written.json16(['ž', { ж: 1 }]), ['ž', { ж: 1 }]],
      ['engine', written.engine([new Map([[1, 2]]), 5n]), [new Map([[1, 2]]), 5n]],
    ] as const)('%s', (_, message, expected) => {
      const { call, seen } = echoing();
      call(message);
      expect(seen()).toEqual(expected);
      expect(Object.is(seen()[1], expected[1])).toBe(typeof expected[1] !== 'object');
    });

    test('elements of every type', () => {
      const { call, seen } = echoing();
      for (const array of typedArrays()) {
        call(written.elements(array));
        expect(seen()).toEqual([array]);
        expect(seen()[0]?.constructor).toBe(array.constructor);
        call(written.elements(array.slice(0, 0)));
        expect(seen()).toEqual([array.slice(0, 0)]);
      }
    });

    test('what cannot be read is an error of that call alone', () => {
      const { raw, words, epoch, serveNow, call, seen } = echoing();
      const wrong: Written[] = [
        { encoding: 99, bytes: new Uint8Array(0) },
        { encoding: ENCODINGS.json, bytes: Uint8Array.of(123) },
        { encoding: ENCODINGS.engine, bytes: Uint8Array.of(1, 2, 3) },
        { encoding: ENCODINGS.numbers | (2 << COUNT_SHIFT), bytes: numbers(1) },
      ];
      for (const { encoding, bytes } of wrong) {
        const k = raw.claim() as number;
        raw.request(k, epoch, { encoding, bytes });
        serveNow();
        expect([words.phase(k), failed(words.word(`cell${k}.encoding`))]).toEqual(['REPLY', true]);
        raw.free(k);
      }
      call(written.numbers(5));
      expect(seen()).toEqual([5]);
    });
  });

  describe('written', () => {
    test.each(Object.entries(VALUES))('%s: what the clause reads is a structured clone', (_, values) => {
      const { client, words, raw } = libraryCalls<Echo>(backend, ['echo']);
      let bytes: number[] = [];
      let encoding = 0;
      const { error } = withSleeps(
        () => client.callSync('echo', ...values),
        () => {
          raw.serve(({ encoding: how, bytes: part, total }) => {
            if (bytes.length === 0) encoding = how;
            bytes = [...bytes, ...part];
            return bytes.length < (total as number) ? null : written.nothing(1);
          });
        },
      );
      expect(error).toBeUndefined();
      expect(words.long('cell0.caller')).toBe(0n);
      const list = readList(encoding, Uint8Array.from(bytes));
      const cloned = structuredClone([...values]);
      expect(list).toEqual(cloned);
      expect(JSON.stringify(describeIdentity(list))).toBe(JSON.stringify(describeIdentity(cloned)));
      for (const [k, value] of cloned.entries())
        if (typeof value === 'number') expect(Object.is(list[k], value)).toBe(true);
    });

    test('JSON only for what comes back as it was', () => {
      const json = [
        'own toJSON',
        'own __proto__',
        'plain objects',
        'with other letters',
        'several',
        'null',
        'booleans',
      ];
      for (const [name, values] of Object.entries(VALUES)) {
        const { client, raw } = libraryCalls<Echo>(backend, ['echo']);
        let how = '';
        withSleeps(
          () => client.callSync('echo', ...values),
          () => {
            raw.serve(({ encoding }) => {
              how ||= encodingName(encoding);
              return null;
            });
            return raw.close();
          },
        );
        if (how.startsWith('json')) expect(json).toContain(name);
      }
    });

    test.each(Object.entries(VALUES).filter(([, values]) => values.length > 0))('%s: as a result', (_, values) => {
      const { call } = echoing();
      const { encoding, list } = call(written.engine(values));
      expect([failed(encoding), list]).toEqual([false, structuredClone([values[0]])]);
    });

    test('typed arrays, as arguments and as results', () => {
      for (const array of typedArrays()) {
        const { encoding, list } = echoing().call(written.elements(array));
        expect([failed(encoding), list]).toEqual([false, [array]]);
      }
    });
  });

  describe('parts', () => {
    test('a request of many parts is asked for by WANT, a reply by REQUEST; each knows the total', () => {
      const { call, seen } = echoing();
      const text = Array.from({ length: 1000 }, (_, k) => String.fromCharCode(32 + (k % 90))).join('');
      const { list } = call(written.latin1(text));
      expect([seen(), list]).toEqual([[text], [text]]);
    });

    test('exactly full, and one more', () => {
      const { call, words } = echoing();
      for (const length of [words.capacity - 1, words.capacity, words.capacity + 1, 2 * words.capacity]) {
        const text = 'z'.repeat(length);
        expect(call(written.latin1(text)).list).toEqual([text]);
      }
    });

    test('the library asks for the parts of a reply, and gives those of a request', () => {
      const { client, words, raw } = libraryCalls<Echo>(backend, ['echo']);
      const text = 'ab'.repeat(400);
      const reply = 'cd'.repeat(300);
      let asked = '';
      let given = 0;
      const phases: string[] = [];
      const { result, error } = withSleeps(
        () => client.callSync('echo', text),
        () => {
          phases.push(words.phase(0));
          raw.serve(({ bytes, total }) => {
            if (asked.length < text.length) {
              expect(total).toBe(text.length);
              asked += String.fromCharCode(...bytes);
              if (asked.length < text.length) return null;
            }
            const part = reply.slice(given, given + 100);
            given += part.length;
            return { ...written.latin1(part), total: reply.length };
          });
        },
      );
      expect([error, asked, result]).toEqual([undefined, text, reply]);
      expect(new Set(phases)).toEqual(new Set(['REQUEST']));
      expect(words.ticket(0)).toBe(1);
    });

    test('one that gives up between two parts leaves a free cell, and the next call is whole', () => {
      const { raw, words, epoch, serveNow, call } = echoing();
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: written.latin1('').encoding, bytes: new Uint8Array(100), total: 300 });
      serveNow();
      expect(words.phase(k)).toBe('WANT');
      raw.free(k);
      expect(call(written.latin1('whole')).list).toEqual(['whole']);
    });
  });
});

/** Which objects of a structure are the same, and in which order they come. */
function describeIdentity(root: unknown): unknown {
  const seen = new Map<object, number>();
  const walk = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return typeof value;
    const known = seen.get(value);
    if (known !== undefined) return `#${known}`;
    seen.set(value, seen.size);
    if (value instanceof Map) return [...value].map(walk);
    if (value instanceof Set) return [...value].map(walk);
    return [
      Object.prototype.toString.call(value),
      ...Object.keys(value).map((key) => [key, walk(value[key as never])]),
    ];
  };
  return walk(root);
}
