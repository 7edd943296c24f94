// Clause 70: the fingerprint is the hash of one text, made here by hand; whatever is in that text changes it, and nothing else does.

import { utimesSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { FEATURE_SIZE } from 'coexist/abi';
import { type FingerprintInputs, type FingerprintOptions, fingerprint } from 'coexist/module';
import { describe, expect, test } from 'vitest';
import { canonical } from '../../src/module/canonical.js';
import { failure } from '../support/failures.js';
import { aDirectory, sha256, writeText } from '../support/modules.js';

const ABI = `{"byte_order":"little","feature_size":${FEATURE_SIZE},"version":1}`;
const bytes = (text: string) => new TextEncoder().encode(text);

describe('the text that is hashed', () => {
  test('nothing given', () => {
    expect(fingerprint({ inputs: {} })).toBe(
      sha256(`{"abi":${ABI},"files":{},"format":1,"interfaces":{},"options":{}}`),
    );
  });

  test('everything given', () => {
    const found = fingerprint({
      abi: { word: 8 },
      inputs: {
        options: { trace: false, é: [1, null, 'x'] },
        interfaces: { spice: 3, 'block:zip/2': 1 },
        files: { 'b.wasm': bytes('b'), 'a.js': bytes('a') },
      },
    });
    const files = `{"a.js":"${sha256('a')}","b.wasm":"${sha256('b')}"}`;
    const text = `{"abi":{"word":8},"files":${files},"format":1,"interfaces":{"block:zip/2":1,"spice":3},"options":{"trace":false,"é":[1,null,"x"]}}`;
    expect(found).toBe(sha256(text));
    expect(found).toMatch(/^[0-9a-f]{64}$/);
  });

  test('files by path and by URL have the last part of their path as name', () => {
    const dir = aDirectory();
    const one = writeText(dir, 'one 1.js', 'one');
    const two = writeText(dir, 'two.js', 'two');
    const named = fingerprint({ inputs: { files: { 'one 1.js': bytes('one'), 'two.js': bytes('two') } } });
    expect(fingerprint({ inputs: { files: [one, two] } })).toBe(named);
    expect(fingerprint({ inputs: { files: [pathToFileURL(two), pathToFileURL(one)] } })).toBe(named);
    expect(fingerprint({ inputs: { files: { 'two.js': two, 'one 1.js': pathToFileURL(one) } } })).toBe(named);
  });
});

describe('what does not change it', () => {
  test('the order of properties, at any depth', () => {
    const one: FingerprintOptions = {
      abi: { a: 1, b: { c: 2, d: 3 } },
      inputs: { options: { x: 1, y: { p: 1, q: 2 } } },
    };
    const other: FingerprintOptions = {
      inputs: { options: { y: { q: 2, p: 1 }, x: 1 } },
      abi: { b: { d: 3, c: 2 }, a: 1 },
    };
    expect(fingerprint(other)).toBe(fingerprint(one));
  });

  test('where files lie, how they are listed, and when they were written', () => {
    const [here, there] = [aDirectory(), aDirectory()];
    const write = (dir: string) => ['a.js', 'b.js'].map((file) => writeText(dir, file, `the content of ${file}`));
    const first = write(here);
    const second = write(there);
    for (const path of second) utimesSync(path, 1, 1);
    expect(fingerprint({ inputs: { files: second.reverse() } })).toBe(fingerprint({ inputs: { files: first } }));
  });

  test('the realm of its objects', () => {
    const inputs = vm.runInNewContext('({ options: { list: [1, 2] } })') as FingerprintInputs;
    expect(fingerprint({ inputs })).toBe(fingerprint({ inputs: { options: { list: [1, 2] } } }));
  });

  test('whether an object has a prototype, and the sign of zero', () => {
    const bare = Object.assign(Object.create(null) as object, { zero: -0 });
    expect(fingerprint({ inputs: { options: bare } })).toBe(fingerprint({ inputs: { options: { zero: 0 } } }));
  });
});

test('every changed input changes it', () => {
  const inputs: FingerprintInputs = { interfaces: { a: 1 }, options: { x: '1' }, files: { f: bytes('f') } };
  const builds: readonly FingerprintOptions[] = [
    { inputs },
    { inputs, abi: {} },
    { inputs, abi: { version: 1, feature_size: FEATURE_SIZE } },
    { inputs, abi: { version: 1, feature_size: FEATURE_SIZE, byte_order: 'big' } },
    { inputs, abi: { version: 1, feature_size: FEATURE_SIZE + 8, byte_order: 'little' } },
    { inputs, abi: { version: 2, feature_size: FEATURE_SIZE, byte_order: 'little' } },
    { inputs: { ...inputs, interfaces: {} } },
    { inputs: { ...inputs, interfaces: { a: 2 } } },
    { inputs: { ...inputs, interfaces: { b: 1 } } },
    { inputs: { ...inputs, interfaces: { a: 1, b: 1 } } },
    { inputs: { ...inputs, options: {} } },
    { inputs: { ...inputs, options: { x: 1 } } },
    { inputs: { ...inputs, options: { x: ['1'] } } },
    { inputs: { ...inputs, options: { x: null } } },
    { inputs: { ...inputs, options: { X: '1' } } },
    { inputs: { ...inputs, options: { x: '1', y: '1' } } },
    { inputs: { ...inputs, options: { x: '1 ' } } },
    { inputs: { ...inputs, files: {} } },
    { inputs: { ...inputs, files: { f: bytes('g') } } },
    { inputs: { ...inputs, files: { f: bytes('') } } },
    { inputs: { ...inputs, files: { g: bytes('f') } } },
    { inputs: { ...inputs, files: { f: bytes('f'), g: bytes('f') } } },
  ];
  expect(new Set(builds.map(fingerprint)).size).toBe(builds.length);
});

describe('canonical JSON: the examples of RFC 8785', () => {
  test.each<[string, string]>([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('the number of bits %s is %s', (bits, text) => {
    expect(canonical(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text);
  });

  test('strings', () => {
    expect(canonical('\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/')).toBe('"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"');
    expect(canonical('\b\t\n\f\r\u0000\u001f\u007f\u2028\u{1F600}')).toBe(
      '"\\b\\t\\n\\f\\r\\u0000\\u001f\u007f\u2028\u{1F600}"',
    );
  });

  test('the order of properties is that of UTF-16 units', () => {
    const names = ['\u20ac', '\r', '\ufb33', '1', '\u{1F600}', '\u0080', '\u00f6'];
    const sorted = ['"\\r"', '"1"', '"\u0080"', '"\u00f6"', '"\u20ac"', '"\u{1F600}"', '"\ufb33"'];
    const value = Object.fromEntries(names.map((name) => [name, 0]));
    expect(canonical(value)).toBe(`{${sorted.map((name) => `${name}:0`).join(',')}}`);
  });

  test('a whole value, without white space', () => {
    const value: unknown = JSON.parse(
      '{ "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001], "literals": [null, true, false] }',
    );
    expect(canonical(value)).toBe('{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}');
  });

  test('an object may be in two places, and a name may be __proto__', () => {
    const twice = [1];
    expect(canonical({ a: twice, b: { c: twice } })).toBe('{"a":[1],"b":{"c":[1]}}');
    expect(canonical(JSON.parse('{"__proto__":{"x":1}}'))).toBe('{"__proto__":{"x":1}}');
  });
});

describe('what is no JSON is refused, and its place named', () => {
  const circle: Record<string, unknown> = {};
  circle['in'] = [circle];
  class Point {
    x = 1;
  }
  test.each<[string, unknown, string]>([
    ['undefined', { a: undefined }, 'inputs.options.a is undefined'],
    ['a function', { a: () => 1 }, 'inputs.options.a is [object Function]'],
    ['a symbol', { a: Symbol('s') }, 'inputs.options.a is Symbol(s)'],
    ['a symbol as name', { [Symbol('s')]: 1 }, 'Symbol(s)'],
    ['NaN', { a: [0, Number.NaN] }, 'inputs.options.a[1] is NaN'],
    ['an infinity', { a: -Infinity }, 'inputs.options.a is -Infinity'],
    ['a bigint', { a: 1n }, 'inputs.options.a is 1n'],
    ['a lone surrogate', { a: 'x\ud800' }, 'inputs.options.a'],
    ['a lone surrogate in a name', { '\udc00': 1 }, 'the name of inputs.options'],
    ['a circle', circle, 'inputs.options.in[0] is [object Object]'],
    ['a date', { a: new Date(0) }, 'inputs.options.a is [object Date]'],
    ['a map', { a: new Map() }, 'inputs.options.a is [object Map]'],
    ['an instance', { a: new Point() }, 'inputs.options.a is [object Object]'],
    ['a boxed string', { a: Object('s') as unknown }, 'inputs.options.a is [object String]'],
    ['bytes', { a: new Uint8Array(1) }, 'inputs.options.a is [object Uint8Array]'],
    ['a hole', { a: new Array(1) }, 'inputs.options.a[0] is undefined'],
    ['an array where an object is meant', [], 'inputs.options is [object Array]'],
  ])('%s', (_, options, message) => {
    const inputs = { options } as FingerprintInputs;
    expect(failure('COEXIST_EINVAL', () => fingerprint({ inputs })).message).toContain(message);
  });
});

describe('inputs that make no sense are refused', () => {
  const dir = aDirectory();
  const one = writeText(`${dir}/one`, 'same.js', 'one');
  const two = writeText(`${dir}/two`, 'same.js', 'two');
  test.each<[string, unknown, RegExp]>([
    ['two files of one name', { inputs: { files: [one, two] } }, /one.same\.js.*same\.js/s],
    ['a file that is not there', { inputs: { files: [`${dir}/none.js`] } }, /none\.js.*ENOENT/s],
    ['a directory', { inputs: { files: [dir] } }, /EISDIR/],
    ['a URL that is no file', { inputs: { files: [new URL('https://example.org/a.js')] } }, /https:\/\/example\.org/],
    ['bytes without a name', { inputs: { files: [bytes('a')] } }, /inputs\.files\[0\]/],
    ['a file that is a number', { inputs: { files: { a: 1 } } }, /inputs\.files: a is 1/],
    ['a version 0', { inputs: { interfaces: { a: 0 } } }, /inputs\.interfaces\.a is 0/],
    ['a version 65536', { inputs: { interfaces: { a: 65536 } } }, /65536/],
    ['a version 1.5', { inputs: { interfaces: { a: 1.5 } } }, /1\.5/],
    ['a version that is a string', { inputs: { interfaces: { a: '1' } } }, /"1"/],
    ['an interface without a name', { inputs: { interfaces: { '': 1 } } }, /a name in inputs\.interfaces is ""/],
    ['an input of another name', { inputs: { file: [] } }, /inputs\.file /],
    ['an option of another name', { inputs: {}, version: 1 }, /options\.version is 1/],
    ['no inputs', {}, /inputs is undefined/],
    ['nothing', undefined, /options is undefined/],
  ])('%s', (_, options, message) => {
    expect(failure('COEXIST_EINVAL', () => fingerprint(options as FingerprintOptions)).message).toMatch(message);
  });
});
