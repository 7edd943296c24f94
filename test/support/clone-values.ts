// What may be passed to a method, and what may not: one row for each kind, made anew each time. And a seeded generator of values.

import { ELEMENTS } from './payloads.js';

export interface Row {
  readonly name: string;
  make(): unknown;
}

const row = (name: string, make: () => unknown): Row => ({ name, make });

class Point {
  readonly #hidden = 3;
  x = 1;
  get y(): number {
    return this.#hidden;
  }
}
class Names extends Map<string, number> {}
class Failure extends TypeError {}

function sharedTwice(): unknown {
  const shared = { deep: [1] };
  return { first: shared, second: [shared, shared.deep] };
}

function cyclic(): unknown {
  const node: Record<string, unknown> = { name: 'a', next: { name: 'b' } };
  (node['next'] as Record<string, unknown>)['back'] = node;
  node['all'] = [node, new Map([['self', node]]), new Set([node])];
  return node;
}

function chainOf(length: number): unknown {
  let chain: unknown = null;
  for (let k = 0; k < length; k++) chain = { k, chain };
  return chain;
}

function twoViews(): unknown {
  const { buffer } = new Uint8Array(Array.from({ length: 64 }, (_, k) => k));
  return [new Uint16Array(buffer, 8, 4), new DataView(buffer, 3, 9), buffer, new Uint8Array(buffer)];
}

function matched(): unknown {
  return /(?<first>a)(b)?/.exec('xab');
}

function withHoles(): unknown {
  // biome-ignore lint/suspicious/noSparseArray: it is about holes
  const list: unknown[] & { named?: number } = [1, , undefined, , 3];
  list.named = 4;
  list.length = 7;
  return list;
}

function typed(type: (typeof ELEMENTS)[number], offset: number, length: number, bytes: number): ArrayBufferView {
  const { buffer } = Uint8Array.from({ length: bytes }, (_, k) => (k * 37 + 11) & 255);
  return new type(buffer, offset, length);
}

/** Values that bytes can carry. */
export const CLONED: readonly Row[] = [
  ...[undefined, null, true, false, 0, -0, 1, -1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(
    (value) => row(`${Object.is(value, -0) ? '-0' : value}`, () => value),
  ),
  row('the least number', () => Number.MIN_VALUE),
  row('the greatest number', () => Number.MAX_VALUE),
  row('a bigint', () => 12n),
  row('a long negative bigint', () => -(2n ** 200n) + 7n),
  row('an empty string', () => ''),
  row('a short string', () => 'hello'),
  row('a string of 12 units', () => 'exactly 12 u'),
  row('a string of 13 units', () => 'exactly 13 un'),
  row('NUL in a string', () => 'a\0b'),
  row('units below 256', () => 'äöü\u00ff\u0080'),
  row('units above 255', () => 'snow ☃ and 🎈'),
  row('one unit of 256', () => '\u0100'),
  row('lone surrogates', () => '\ud800 \udfff\udc00'),
  row('a long string', () => 'x'.repeat(10_000)),
  row('a long wide string', () => `${'y'.repeat(9_999)}€`),
  row('lone surrogates in an object', () => ({ '\ud800': '\udfff', plain: '\ud83c\udf88' })),
  row('escapes in an object', () => ({ '"\\\n\u2028\0': '\t"\\\u2029\u007f' })),
  row('an empty object', () => ({})),
  row('an empty list', () => []),
  row('a plain object', () => ({ id: 7, name: 'a', list: [1, 'b', null, true], inner: { deep: [[], {}] } })),
  row('-0 in an object', () => ({ zero: -0 })),
  row('NaN in a list', () => [1, Number.NaN]),
  row('an infinity in an object', () => ({ inner: { far: Number.NEGATIVE_INFINITY } })),
  row('undefined in an object', () => ({ a: undefined, b: 1 })),
  row('undefined in a list', () => [undefined, 1]),
  row('properties in their order', () => ({ z: 1, 10: 2, a: 3, 2: 4, '-1': 5 })),
  row('a property __proto__', () => JSON.parse('{"__proto__": {"a": 1}, "b": 2}')),
  row('properties named like methods', () => ({ constructor: 1, toJSON: 2, toString: 'x', length: 3 })),
  row('a hidden toJSON', () => Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 'no' })),
  row('symbol keys, which no clone has', () => ({ a: 1, [Symbol('s')]: 2 })),
  row('a tag', () => ({ a: 1, [Symbol.toStringTag]: 'Tagged' })),
  row('properties that are not enumerable', () => Object.defineProperty({ a: 1 }, 'b', { value: 2 })),
  row('a frozen object', () => Object.freeze({ a: Object.freeze([1]) })),
  row('an object without prototype', () => Object.assign(Object.create(null), { a: 1 })),
  row('inherited properties, which no clone has', () =>
    Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } }),
  ),
  row('inherited and own properties with the same name', () =>
    Object.assign(Object.create(null), { toString: 1, a: 2 }),
  ),
  row('an accessor that takes another property away', () => ({
    get a() {
      Reflect.deleteProperty(this, 'b');
      return 1;
    },
    b: 2,
    c: 3,
  })),
  row('an accessor', () => ({
    get a() {
      return 5;
    },
  })),
  row('an instance of a class', () => ({ point: new Point() })),
  row('a list with holes and a name', withHoles),
  row('a list with as many holes as names', () => [
    Object.assign(new Array(2), { 0: 1, name: 2 }),
    Object.assign(new Array(40), { name: 2 }, Object.fromEntries(Array.from({ length: 39 }, (_, k) => [k + 1, k]))),
  ]),
  row('a match', matched),
  row('a sparse list', () => {
    const list: number[] = [];
    list[100_000] = 1;
    return list;
  }),
  row('a list of 70000', () => Array.from({ length: 70_000 }, (_, k) => k / 3)),
  row('a subclass of Array', () => new (class extends Array<number> {})(1, 2, 3)),
  row('one object twice', sharedTwice),
  row('one empty object twice', () => {
    const empty = {};
    return [empty, empty];
  }),
  row('cycles', cyclic),
  row('a chain of 60', () => chainOf(60)),
  row('a chain of 300', () => chainOf(300)),
  row('many small objects', () => Array.from({ length: 2_000 }, (_, k) => ({ k, name: `n${k}` }))),
  row(
    'a Map in its order',
    () =>
      new Map<unknown, unknown>([
        ['z', 1],
        [{ key: 1 }, new Map()],
        [Number.NaN, -0],
      ]),
  ),
  row('a Set in its order', () => new Set<unknown>([3, 1, 'x', { a: 1 }, new Set([1])])),
  row('a subclass of Map', () => new Names([['a', 1]])),
  row('a Map with a property', () => Object.assign(new Map([[1, 2]]), { extra: 1 })),
  row('a Date', () => new Date(1_234_567_890_123)),
  row('an invalid Date', () => new Date(Number.NaN)),
  row('boxed primitives', () => [Object(1), Object('s'), Object(false), Object(12n), Object(-0)]),
  row('a RegExp, whose lastIndex is lost', () => {
    const found = /a(?<n>b)\/["]/dgimsuy;
    found.lastIndex = 3;
    return found;
  }),
  row('errors of each kind', () =>
    [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((type) => new type('m')),
  ),
  row('an error with a cause', () => new Error('outer', { cause: new RangeError('inner', { cause: { plain: 1 } }) })),
  row('an error of a class', () => Object.assign(new Failure('mine'), { code: 'LOST' })),
  row('an AggregateError', () => new AggregateError([new Error('a'), 1], 'all')),
  row('an error whose name is its own', () => Object.assign(new Error('m'), { name: 'RangeError' })),
  row('an ArrayBuffer', () => new Uint8Array([1, 2, 3]).buffer),
  row('an empty ArrayBuffer', () => new ArrayBuffer(0)),
  ...ELEMENTS.flatMap((type) => [
    row(`a ${type.name}`, () => typed(type, 0, 5, 5 * type.BYTES_PER_ELEMENT)),
    row(`a ${type.name} at an offset`, () => typed(type, 8, 3, 64)),
    row(`a long ${type.name}`, () => typed(type, 0, 4_000, 4_000 * type.BYTES_PER_ELEMENT)),
    row(`an empty ${type.name}`, () => typed(type, 0, 0, 0)),
    row(`a ${type.name} in an object`, () => ({ inner: typed(type, 8, 2, 24) })),
  ]),
  row('a DataView', () => new DataView(new ArrayBuffer(16), 4, 8)),
  row('several views of one buffer', twoViews),
  row('a Buffer, which becomes a Uint8Array', () => Buffer.from('some bytes in the pool')),
  row('a Buffer of its own', () => Buffer.alloc(32, 'ab')),
  row('a subclass of Uint8Array', () => new (class extends Uint8Array {})([1, 2, 3])),
  row('a typed array with a property', () => Object.assign(new Uint8Array([1, 2]), { extra: 1 })),
  row('a buffer that can grow', () => Reflect.construct(ArrayBuffer, [8, { maxByteLength: 32 }])),
  row(
    'a view of a buffer that can grow',
    () => new Uint8Array(Reflect.construct(ArrayBuffer, [8, { maxByteLength: 32 }])),
  ),
  row('a view and numbers', () => [new Float64Array([1, -0, Number.NaN]), 1, 2]),
  row('all at once', () => [cyclic(), sharedTwice(), twoViews(), new Date(0), 1n, 'x', undefined, new Point()]),
];

const emptyModule = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);

/** Values that only message passing can carry. */
export const POSTED: readonly Row[] = [
  row('a SharedArrayBuffer', () => new SharedArrayBuffer(16)),
  row('a view of shared memory', () => ({ view: new Int32Array(new SharedArrayBuffer(64), 8, 4) })),
  row('two views of one shared memory', () => {
    const buffer = new SharedArrayBuffer(64);
    return [new Int32Array(buffer), new Map([['it', new Float64Array(buffer, 8, 2)]]), buffer];
  }),
  row('a shared memory of wasm', () => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })),
  row('a module', () => ({ module: new WebAssembly.Module(emptyModule), list: new Set([1]) })),
  row('a Blob', () => new Blob(['some text'], { type: 'text/plain' })),
  row('a Blob in an error', () => new Error('m', { cause: { blob: new Blob(['x']) } })),
];

/** Values that nothing can carry. */
export const REFUSED: readonly Row[] = [
  row('a function', () => () => 1),
  row('a function in an object', () => ({ a: { b: () => 1 } })),
  row('a method of a plain object', () => ({ toJSON: () => 'no' })),
  row('a symbol', () => Symbol('s')),
  row('a symbol in a Map', () => new Map([[1, Symbol.iterator]])),
  row('a WeakMap', () => new WeakMap()),
  row('a WeakRef in a list', () => [1, new WeakRef({})]),
  row('a Promise', () => Promise.resolve(1)),
  row('a MessagePort', () => new MessageChannel().port1),
  row('a Proxy', () => new Proxy({ a: 1 }, {})),
  row('a Proxy of a list', () => ({ list: new Proxy([1, 2], {}) })),
  row('the arguments of a function', () => argumentsOf(1, 2)),
  row('a memory of wasm that is not shared', () => Reflect.construct(WebAssembly.Memory, [{ initial: 1 }])),
  row('a generator', () => ({ g: (function* () {})() })),
  row('a detached buffer', () => detached()),
  row('a view of a detached buffer', () => {
    const view = new Uint8Array(8);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    return { view };
  }),
  row('an accessor that throws', () => ({
    get a() {
      throw new RangeError('from the accessor');
    },
  })),
];

function argumentsOf(..._: unknown[]): unknown {
  // biome-ignore lint/complexity/noArguments: it is about them
  return arguments;
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

/** A generator of numbers below 2^32 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** A random value that can be cloned; what was made before may turn up in it again. */
export function randomValue(next: () => number): unknown {
  const made: object[] = [];
  const below = (n: number): number => next() % n;
  const keep = <T extends object>(value: T): T => {
    made.push(value);
    return value;
  };
  const text = (): string => {
    const top = [128, 256, 0x3000, 0x10000][below(4)] as number;
    return String.fromCharCode(...Array.from({ length: below(20) }, () => below(top)));
  };
  const number = (): number =>
    [below(100), -below(2 ** 31), next() / 1e3, -0, Number.NaN, 2 ** 53, next() * 2 ** 40, 1 / (1 + next())][
      below(8)
    ] as number;
  const leaf = (): unknown =>
    [() => undefined, () => null, () => below(2) === 1, () => BigInt(next()) ** 3n, number, number, text, text, text][
      below(9)
    ]?.();
  const fill = (depth: number): unknown => (depth > 4 || below(3) === 0 ? leaf() : node(depth));
  const node = (depth: number): unknown => {
    const size = below(6);
    switch (below(14)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const object = keep({} as Record<string, unknown>);
        for (let k = 0; k < size; k++) {
          Object.defineProperty(object, below(4) === 0 ? `${below(30)}` : text(), {
            value: fill(depth + 1),
            writable: true,
            configurable: true,
            enumerable: true,
          });
        }
        return object;
      }
      case 4:
      case 5:
      case 6: {
        const list = keep([] as unknown[]);
        for (let k = 0; k < size; k++) list[k + (below(12) === 0 ? 1 : 0)] = fill(depth + 1);
        return list;
      }
      case 7: {
        const map = keep(new Map());
        for (let k = 0; k < size; k++) map.set(fill(depth + 1), fill(depth + 1));
        return map;
      }
      case 8: {
        const set = keep(new Set());
        for (let k = 0; k < size; k++) set.add(fill(depth + 1));
        return set;
      }
      case 9:
        return keep(new Date(number()));
      case 10: {
        const type = ELEMENTS[below(ELEMENTS.length)] as (typeof ELEMENTS)[number];
        const offset = 8 * below(3);
        return keep(typed(type, offset, below(8), offset + 64 + below(3)));
      }
      case 11:
        return keep(new RangeError(text(), { cause: fill(depth + 1) }));
      case 12:
        return keep(Object([number(), text(), below(2) === 0][below(3)]));
      default:
        return made[below(made.length + 1)] ?? leaf();
    }
  };
  return fill(0);
}
