// What a method throws arrives as it was thrown (docs/ABI.md, clause 66): class, message, stack, code, causes, errors and properties, as
// far as the other realm has them; and nothing in an error costs the error.

import { CoexistError } from 'coexist';
import { describe, expect, it } from 'vitest';
import { CoexistError as OwnCoexistError } from '../../src/abi/errors.js';
import { errorOf } from '../../src/call/errors-as-data.js';
import { readBytes, readList, writeFailure, writePart } from '../../src/call/payload.js';
import { cellOf, data, field } from '../support/lists.js';

/** Thrown on one side, as it is found on the other. */
function thrown(value: unknown, size = 8192): unknown {
  const cell = cellOf(size);
  const rest = writeFailure(cell, value, undefined, 0);
  const encoding = field('encoding');
  expect(encoding).toBeLessThan(0);
  if (rest === undefined) return errorOf(readList(cell, undefined)[0]);
  const all = new Uint8Array(rest.length);
  for (let read = 0; read < all.length; ) {
    const length = writePart(cell, rest, read, 0);
    all.set(data.subarray(0, length), read);
    read += length;
  }
  return errorOf(readBytes(encoding, all, undefined)[0]);
}

describe('errors', () => {
  it.each([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])('of class %o', (type) => {
    const error = new type('what went wrong ☃');
    for (const size of [128, 8192]) {
      const found = thrown(error, size) as Error;
      expect(Object.getPrototypeOf(found)).toBe(type.prototype);
      expect([found.name, found.message, found.stack]).toEqual([error.name, error.message, error.stack]);
      expect(Object.keys(found)).toEqual([]);
      expect('cause' in found).toBe(false);
    }
  });

  it('of a class that is not the platform’s keep their name and properties', () => {
    class HttpError extends TypeError {
      override readonly name = 'HttpError';
      status = 418;
      readonly code = 'E_TEAPOT';
      headers = new Map([['a', [1n]]]);
    }
    const error = new HttpError('no coffee');
    const found = thrown(error) as HttpError;
    expect(found).toBeInstanceOf(Error);
    expect(found).toMatchObject({ name: 'HttpError', message: 'no coffee', status: 418, code: 'E_TEAPOT' });
    expect(found.headers).toEqual(error.headers);
    expect(found.stack).toBe(error.stack);
  });

  it('of the runtime keep code, errno, path', () => {
    const { readFileSync } = process.getBuiltinModule('node:fs');
    let error: unknown;
    try {
      readFileSync('/nowhere/at/all');
    } catch (caught) {
      error = caught;
    }
    const { code, errno, syscall, path, message } = error as NodeJS.ErrnoException;
    expect(thrown(error)).toMatchObject({ code, errno, syscall, path, message });
    expect(code).toBe('ENOENT');
  });

  it('that abort keep their name', () => {
    const error = AbortSignal.abort().reason as DOMException;
    expect(thrown(error)).toMatchObject({ name: 'AbortError', message: error.message, code: error.code });
    expect(thrown(error)).toBeInstanceOf(Error);
  });

  it('of this library are its own again', () => {
    const error = new CoexistError('COEXIST_EGONE', 'it is gone', {
      found: { slot: 3 },
      expected: [1, 2n],
      remedy: 'Look elsewhere.',
      cause: new RangeError('why'),
    });
    const found = thrown(error) as CoexistError;
    expect(found).toBeInstanceOf(OwnCoexistError);
    expect(found.message).toBe(error.message);
    expect(found.stack).toBe(error.stack);
    expect({ ...found }).toEqual({ ...error });
    expect(found.cause).toEqual(new RangeError('why'));
    expect(Object.getPrototypeOf(found.cause)).toBe(RangeError.prototype);
  });

  it('carry their causes', () => {
    const root = Object.assign(new SyntaxError('root'), { code: 'E_ROOT' });
    const error = new Error('top', { cause: new TypeError('middle', { cause: root }) });
    const found = thrown(error) as Error;
    const middle = found.cause as Error;
    expect([found.message, middle.message, (middle.cause as Error).message]).toEqual(['top', 'middle', 'root']);
    expect(middle).toBeInstanceOf(TypeError);
    expect(middle.cause).toMatchObject({ name: 'SyntaxError', code: 'E_ROOT', stack: root.stack });
    expect(Object.keys(found)).toEqual([]);
    for (const cause of [undefined, null, 0, 'text', { why: [1n] }, new Date(3)]) {
      const { cause: arrived } = thrown(new Error('m', { cause })) as Error;
      expect(arrived).toEqual(cause);
    }
  });

  it('carry the errors of an AggregateError, and lists named errors', () => {
    const error = new AggregateError([new RangeError('a'), 'b', new AggregateError([1], 'c')], 'all');
    const found = thrown(error) as AggregateError;
    expect(found).toBeInstanceOf(AggregateError);
    expect(found.errors.map((one) => one?.message ?? one)).toEqual(['a', 'b', 'c']);
    expect(found.errors[0]).toBeInstanceOf(RangeError);
    expect(found.errors[2].errors).toEqual([1]);
    const validation = Object.assign(new Error('invalid'), { errors: [{ path: 'a' }, new TypeError('t')] });
    expect((thrown(validation) as typeof validation).errors).toMatchObject([{ path: 'a' }, { message: 't' }]);
    expect((thrown(Object.assign(new Error('m'), { errors: 5 })) as { errors?: unknown }).errors).toBe(5);
  });

  it('may be their own cause', () => {
    const error = new Error('outer', { cause: new TypeError('inner') });
    (error.cause as Error).cause = error;
    const found = thrown(error) as Error;
    expect((found.cause as Error).cause).toBe(found);
    const itself = new AggregateError([], 'm');
    itself.errors.push(itself, itself);
    const again = thrown(itself) as AggregateError;
    expect(again.errors).toEqual([again, again]);
    expect(again.errors[0]).toBe(again);
  });

  it('may have a thousand causes', () => {
    let error = new Error('the first');
    for (let k = 0; k < 1_000; k++) error = new Error(`after ${k}`, { cause: error });
    let length = 0;
    for (let found = thrown(error); found instanceof Error; found = found.cause) length++;
    expect(length).toBeGreaterThanOrEqual(50);
  });
});

describe('in an error, what cannot be passed', () => {
  it('is shown', () => {
    const error = Object.assign(new Error('m', { cause: () => 1 }), {
      callback: () => 1,
      symbol: Symbol('s'),
      shared: new SharedArrayBuffer(8),
      weak: new WeakMap(),
      nested: { deep: [() => 1] },
      promise: Promise.resolve(),
      fine: new Map([[1, 2]]),
      nothing: undefined,
    });
    const found = thrown(error) as typeof error;
    expect(found).toMatchObject({
      message: 'm',
      callback: '[object Function]',
      symbol: 'Symbol(s)',
      shared: '[object SharedArrayBuffer]',
      weak: '[object WeakMap]',
      nested: '[object Object]',
      promise: '[object Promise]',
      nothing: undefined,
    });
    expect(found.fine).toEqual(new Map([[1, 2]]));
    expect(found.cause).toBe('[object Function]');
  });

  it('does not cost the error: getters that throw, names that are none', () => {
    const error = new Error('m');
    for (const key of ['code', 'extra', 'stack', 'name', 'cause', 'errors']) {
      Object.defineProperty(error, key, {
        enumerable: true,
        get: () => {
          throw new Error(`no ${key}`);
        },
      });
    }
    expect(thrown(error)).toMatchObject({ name: 'Error', message: 'm' });
    const odd = Object.defineProperties(new Error('x'), { name: { value: { a: 1 } }, message: { value: Symbol('s') } });
    expect(thrown(odd)).toMatchObject({ name: '[object Object]', message: 'Symbol(s)' });
    expect(thrown(new Proxy(new TypeError('of a proxy'), {}))).toMatchObject({ message: 'of a proxy' });
    const fails = (): never => {
      throw new Error('trapped');
    };
    const trapped = new Proxy({}, { get: fails, getPrototypeOf: fails, ownKeys: fails, has: fails });
    expect(thrown(trapped)).toBe('a value of type object');
    const list = Object.defineProperty([], 0, { get: fails, enumerable: true });
    expect(thrown(Object.assign(new Error('m'), { errors: list, list }))).toMatchObject({ message: 'm' });
  });

  it('is no property of the prototype', () => {
    const error = Object.defineProperty(new Error('m'), '__proto__', { value: { polluted: 1 }, enumerable: true });
    const found = thrown(error) as Error;
    expect(Object.getPrototypeOf(found)).toBe(Error.prototype);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe('values that are no errors', () => {
  it('are thrown as they are', () => {
    for (const value of [
      undefined,
      null,
      0,
      -0,
      'text',
      true,
      5n,
      { a: 1 },
      [1],
      new Map([[1, 2]]),
      { error: 1, value: 2 },
    ]) {
      expect(thrown(value)).toEqual(value);
    }
  });

  it('or shown, where they cannot be passed', () => {
    expect(thrown(() => 1)).toBe('[object Function]');
    expect(thrown(Symbol('s'))).toBe('Symbol(s)');
    expect(thrown(new SharedArrayBuffer(8))).toBe('[object SharedArrayBuffer]');
    expect(thrown({ callback: () => 1 })).toBe('[object Object]');
  });
});

describe('records that nobody wrote', () => {
  it('are errors, or values, whatever they hold', () => {
    for (const record of [undefined, null, 1, 'x', {}, { error: 1 }, { error: null }, { value: 1, other: 2 }]) {
      expect(errorOf(record)).toBe((record as { value?: unknown } | null | undefined)?.value);
    }
    const odd = { name: { toString: 1, valueOf: 1 }, message: [1], stack: {}, cause: 5, errors: [3, null], code: {} };
    expect(errorOf({ error: odd })).toBeInstanceOf(Error);
    const forged = { name: 'CoexistError', message: 'm', code: 'COEXIST_EGONE', remedy: { toString: 1 } };
    expect(errorOf({ error: forged })).toMatchObject({ code: 'COEXIST_EGONE', message: 'm' });
    expect(errorOf({ error: { ...forged, code: 'OTHER' } })).not.toBeInstanceOf(OwnCoexistError);
  });
});
