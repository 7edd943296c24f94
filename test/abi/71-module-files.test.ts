// Clause 71: what a file says of itself, and what a manifest says of it.

import { readFileSync } from 'node:fs';
import { collect, type Manifest } from 'coexist/modinfo';
import { describe, expect, test } from 'vitest';
import { checkManifest } from '../../src/module/check-manifest.js';
import { readDeclaration } from '../../src/module/declaration.js';
import { failure } from '../support/failures.js';
import { aBuild, aDirectory, manifestOf, sha256, writeModule } from '../support/modules.js';

const FINGERPRINT = aBuild();
const NOTHING = { objects: [], options: [], depends: [], targets: [], interfaces: {} };
const one = (json: string) => `/*! coexist-module ${json} */`;
const NAMED = `"name":"a","fingerprint":"${FINGERPRINT}"`;

describe('the declaration', () => {
  test('has defaults for everything but name and fingerprint; the type depends on the file', () => {
    expect(readDeclaration(one(`{${NAMED}}`))).toEqual({ name: 'a', fingerprint: FINGERPRINT, ...NOTHING });
  });

  test('all of it, in any order', () => {
    const rest = {
      interfaces: { 'ui:x/y': 65535, z: 1 },
      targets: ['img'],
      depends: ['b', '7.z@1+2_-'],
      options: ['--zip'],
    };
    const whole = { ...rest, type: 'commonjs', objects: ['é', 'block/zip "x"'], fingerprint: FINGERPRINT, name: 'a' };
    expect(readDeclaration(one(JSON.stringify(whole)))).toEqual(whole);
  });

  test.each<[string, string]>([
    ['first', `${one(`{${NAMED}}`)}\ncode()`],
    ['last', `code()\n${one(`{${NAMED}}`)}`],
    ['after a line of its own', `#!/usr/bin/env node\n"use strict";\n${one(`{${NAMED}}`)}`],
    ['over several lines', `/*! coexist-module\r\n\t{\n${NAMED}\r\n}\n\t*/`],
    [
      'beside other comments',
      `/*! coexist-modules {} */ /* coexist-module {} */ // ! coexist-module\n${one(`{${NAMED}}`)}`,
    ],
  ])('anywhere in the file: %s', (_, text) => {
    expect(readDeclaration(text)?.name).toBe('a');
  });

  test('the end of a comment inside its strings is written *\\/', () => {
    expect(readDeclaration(one(`{${NAMED},"objects":["a*\\/b"]}`))?.objects).toEqual(['a*/b']);
  });

  test.each<[string, string]>([
    ['empty', ''],
    ['another comment', '/* coexist-module {} */'],
    ['no white space', `/*! coexist-module{${NAMED}} */`],
    ['a longer word', `/*! coexist-modules {${NAMED}} */`],
  ])('none: %s', (_, text) => {
    expect(readDeclaration(text)).toBeUndefined();
  });

  test.each<[string, string, RegExp]>([
    ['two', `${one(`{${NAMED}}`)}\n${one(`{${NAMED}}`)}`, /one at 0 and one at \d+/],
    ['cut off', `/*! coexist-module {${NAMED}`, /a comment that ends/],
    ['cut off by the end of a comment in a string', one(`{${NAMED},"objects":["*/"]}`), /one JSON object/],
    ['nothing', '/*! coexist-module */', /one JSON object/],
    ['two objects', one('{} {}'), /one JSON object/],
    ['a comment in it', one('{} // that'), /one JSON object/],
    ['an array', one('[]'), /\[object Array\], expected an object/],
    ['null', one('null'), /null, expected an object/],
    ['no name', one('{}'), /declaration\.name is undefined/],
    [
      'a name with a separator',
      one(`{"name":"../a","fingerprint":"${FINGERPRINT}"}`),
      /declaration\.name is "\.\.\/a"/,
    ],
    [
      'a name that begins with a dot',
      one(`{"name":".a","fingerprint":"${FINGERPRINT}"}`),
      /declaration\.name is "\.a"/,
    ],
    ['a name of 57', one(`{"name":"${'a'.repeat(57)}","fingerprint":"${FINGERPRINT}"}`), /declaration\.name is "a+"/],
    ['no fingerprint', one('{"name":"a"}'), /declaration\.fingerprint is undefined/],
    ['a short fingerprint', one('{"name":"a","fingerprint":"ab"}'), /declaration\.fingerprint is "ab"/],
    [
      'a fingerprint in capitals',
      one(`{"name":"a","fingerprint":"${'A'.repeat(64)}"}`),
      /declaration\.fingerprint is "A/,
    ],
    ['an unknown type', one(`{${NAMED},"type":"json"}`), /declaration\.type is "json"/],
    ['an unknown property', one(`{${NAMED},"object":["x"]}`), /declaration\.object is \[object Array\].*objects/],
    ['__proto__', one(`{${NAMED},"__proto__":{}}`), /declaration\.__proto__/],
    ['objects that are a string', one(`{${NAMED},"objects":"x"}`), /declaration\.objects is "x"/],
    ['an empty string', one(`{${NAMED},"objects":["x",""]}`), /declaration\.objects\[1\] is ""/],
    ['a number', one(`{${NAMED},"options":[7]}`), /declaration\.options\[0\] is 7/],
    ['a control character', one(`{${NAMED},"targets":["a\\u0000"]}`), /declaration\.targets\[0\]/],
    ['a lone surrogate', one(`{${NAMED},"objects":["\\ud800"]}`), /declaration\.objects\[0\]/],
    ['129 bytes', one(`{${NAMED},"objects":["a${'é'.repeat(64)}"]}`), /declaration\.objects\[0\]/],
    [
      'the same twice',
      one(`{${NAMED},"objects":["x","y","x"]}`),
      /declaration\.objects\[2\] is "x".*declaration\.objects\[0\]/,
    ],
    ['a dependency that is no name', one(`{${NAMED},"depends":["./b"]}`), /declaration\.depends\[0\] is "\.\/b"/],
    ['interfaces as a list', one(`{${NAMED},"interfaces":["x"]}`), /declaration\.interfaces is \[object Array\]/],
    ['an interface of version 0', one(`{${NAMED},"interfaces":{"x":0}}`), /declaration\.interfaces\.x is 0/],
    [
      'an interface of version 65536',
      one(`{${NAMED},"interfaces":{"x":65536}}`),
      /declaration\.interfaces\.x is 65536/,
    ],
    ['an interface of version 1.5', one(`{${NAMED},"interfaces":{"x":1.5}}`), /declaration\.interfaces\.x is 1\.5/],
    ['an interface without a name', one(`{${NAMED},"interfaces":{"":1}}`), /a name in declaration\.interfaces is ""/],
  ])('malformed: %s', (_, text, message) => {
    expect(failure('COEXIST_EINVAL', () => readDeclaration(text)).message).toMatch(message);
  });

  test('a string has 128 bytes at most', () => {
    const longest = 'é'.repeat(64);
    expect(readDeclaration(one(`{${NAMED},"objects":["${longest}"]}`))?.objects).toEqual([longest]);
  });
});

describe('the manifest', () => {
  test('has all properties of each module, in the order of their names by UTF-16 units', () => {
    const dir = aDirectory();
    const lower = writeModule(dir, { name: 'b', objects: ['x'], depends: ['B'] }, 'import "B"; // é', { file: 'z.js' });
    const upper = writeModule(dir, { name: 'B', interfaces: { i: 2 } }, 'exports.x = import("node:fs");', {
      file: 'a.cjs',
    });
    const common = { fingerprint: FINGERPRINT, ...NOTHING };
    const text = readFileSync(lower, 'utf8');
    const [importB, importOf] = [text.indexOf('"B";'), readFileSync(upper, 'utf8').indexOf('import("')];
    expect(collect(dir)).toEqual({
      format: 1,
      modules: [
        {
          ...common,
          name: 'B',
          type: 'commonjs',
          interfaces: { i: 2 },
          file: 'a.cjs',
          sha256: sha256(readFileSync(upper)),
          bytes: readFileSync(upper).length,
          references: [{ start: importOf, end: importOf + 6, is: 'import()' }],
        },
        {
          ...common,
          name: 'b',
          type: 'module',
          objects: ['x'],
          depends: ['B'],
          file: 'z.js',
          sha256: sha256(readFileSync(lower)),
          bytes: text.length + 1,
          references: [{ start: importB, end: importB + 3, is: 'import', specifier: 'B' }],
        },
      ],
    });
  });

  test.each<[string, string, string, 'module' | 'commonjs']>([
    ['.mjs', 'a.mjs', 'exports.x = 1', 'module'],
    ['.cjs', 'a.cjs', 'exports.x = 1', 'commonjs'],
    ['.js with an import', 'a.js', 'import "node:fs"', 'module'],
    ['.js with an export', 'a.js', 'const x = 1; export { x }', 'module'],
    ['.js with import.meta', 'a.js', 'console.log(import.meta.url)', 'module'],
    ['.js with import()', 'a.js', 'import("node:fs")', 'commonjs'],
    ['.js with the words in strings and comments', 'a.js', '"import x"; `export`; // import.meta', 'commonjs'],
    ['.js with nothing', 'a.js', '', 'commonjs'],
  ])('the type by default: %s', (_, file, body, type) => {
    expect(manifestOf([[{ name: 'a' }, body, file]]).modules[0]?.type).toBe(type);
  });

  test.each<['module' | 'commonjs', string]>([
    ['module', 'a.cjs'],
    ['commonjs', 'a.mjs'],
    ['module', 'a.js'],
  ])('the declared type %s holds for %s', (type, file) => {
    expect(manifestOf([[{ name: 'a', type }, 'f()', file]]).modules[0]?.type).toBe(type);
  });
});

describe('what is no manifest is refused, and the place named', () => {
  const whole = manifestOf([
    [{ name: 'a', depends: ['b'] }, 'import "b"; import.meta.url'],
    [{ name: 'b' }, 'import("fs")', 'b.cjs'],
  ]);

  test('the one that collect() made is one, and so is its JSON', () => {
    expect(checkManifest(whole)).toEqual(whole);
    expect(checkManifest(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
    expect(checkManifest({ format: 1, modules: [] })).toEqual({ format: 1, modules: [] });
  });

  type Change = (manifest: { modules: Record<string, unknown>[] } & Record<string, unknown>) => unknown;
  const within =
    (k: number, changed: Record<string, unknown>): Change =>
    (manifest) =>
      Object.assign(manifest.modules[k] ?? {}, changed);
  const [ref] = whole.modules[0]?.references ?? [];
  test.each<[string, Change, RegExp]>([
    ['another format', (manifest) => Object.assign(manifest, { format: 2 }), /manifest\.format is 2/],
    ['an unknown property', (manifest) => Object.assign(manifest, { module: 1 }), /manifest\.module is 1/],
    [
      'modules that are no list',
      (manifest) => Object.assign(manifest, { modules: {} }),
      /manifest\.modules is \[object Object\]/,
    ],
    ['a module that is none', (manifest) => manifest.modules.push(null as never), /manifest\.modules\[2\] is null/],
    ['an unknown property of a module', within(1, { url: '' }), /manifest\.modules\[1\]\.url is ""/],
    ['a missing property', within(1, { objects: undefined }), /manifest\.modules\[1\]\.objects is undefined/],
    ['a property of another type', within(0, { depends: 'b' }), /manifest\.modules\[0\]\.depends is "b"/],
    ['modules out of order', (manifest) => manifest.modules.reverse(), /manifest\.modules\[1\]\.name is "a", .*"b"/],
    ['two of one name', within(0, { name: 'b' }), /manifest\.modules\[1\]\.name is "b"/],
    ['two of one file', within(0, { file: 'b.cjs' }), /manifest\.modules\[1\]\.file is "b\.cjs".*modules\[0\]/],
    ['a file elsewhere', within(0, { file: '../a.mjs' }), /manifest\.modules\[0\]\.file is "\.\.\/a\.mjs"/],
    ['a file with a backslash', within(0, { file: 'x\\a.mjs' }), /modules\[0\]\.file/],
    ['a file with a byte 0', within(0, { file: 'a\0.mjs' }), /modules\[0\]\.file/],
    ['the parent as file', within(0, { file: '..' }), /modules\[0\]\.file is "\.\."/],
    ['a hash that is none', within(0, { sha256: 'ab' }), /modules\[0\]\.sha256 is "ab"/],
    ['a size that is none', within(0, { bytes: -1 }), /modules\[0\]\.bytes is -1/],
    ['an unknown type', within(0, { type: 'wasm' }), /modules\[0\]\.type is "wasm"/],
    ['an unknown kind of reference', within(0, { references: [{ ...ref, is: 'x' }] }), /references\[0\]\.is is "x"/],
    [
      'a kind for the other type',
      within(1, { references: [{ start: 0, end: 6, is: 'url' }] }),
      /references\[0\]\.is is "url"/,
    ],
    ['a place before the text', within(0, { references: [{ ...ref, start: -1 }] }), /references\[0\]\.start is -1/],
    ['an empty place', within(0, { references: [{ ...ref, start: 5, end: 5 }] }), /references\[0\]\.end is 5/],
    ['a place behind the text', within(0, { references: [{ ...ref, end: 1e6 }] }), /references\[0\]\.end is 1000000/],
    ['places that overlap', within(0, { references: [ref, ref] }), /references\[1\]\.start is/],
    [
      'a place that is a fraction',
      within(0, { references: [{ ...ref, start: 0.5 }] }),
      /references\[0\]\.start is 0\.5/,
    ],
    [
      'an import of nothing declared',
      within(0, { references: [{ ...ref, specifier: 'fs' }] }),
      /references\[0\]\.specifier is "fs"/,
    ],
    [
      'a specifier where none is',
      within(0, { references: [{ start: 0, end: 1, is: 'url', specifier: 'b' }] }),
      /\[0\]\.specifier is "b"/,
    ],
  ])('%s', (_, change, message) => {
    const manifest = structuredClone(whole) as unknown as Manifest & Parameters<Change>[0];
    change(manifest);
    expect(failure('COEXIST_EINVAL', () => checkManifest(manifest)).message).toMatch(message);
  });

  test.each([[undefined], [null], ['{}'], [[]]])('%j', (value) => {
    expect(failure('COEXIST_EINVAL', () => checkManifest(value)).message).toContain('manifest');
  });
});
