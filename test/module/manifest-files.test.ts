// What a build writes: the manifest, which gets into its place in one step, and the comment that declares a module.

import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { banner, type ModuleDeclaration, saveManifest, writeManifest } from 'coexist/modinfo';
import { describe, expect, test } from 'vitest';
import { readDeclaration } from '../../src/module/declaration.js';
import { failure } from '../support/failures.js';
import { aBuild, aDirectory, writeModule } from '../support/modules.js';

describe('writing', () => {
  test('the manifest is replaced in one step, and nothing is left beside it', () => {
    const dir = aDirectory();
    writeModule(dir, { name: 'a' });
    const first = writeManifest(dir);
    const path = join(dir, 'modinfo.json');
    const reader = openSync(path, 'r');
    writeModule(dir, { name: 'b' });
    const second = writeManifest(dir);
    // Whoever had it open reads the old one, whole.
    expect(JSON.parse(readFileSync(reader, 'utf8'))).toEqual(first);
    expect(statSync(path).ino).not.toBe(statSync(`/proc/self/fd/${reader}`).ino);
    closeSync(reader);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(second);
    expect(readdirSync(dir).sort()).toEqual(['a.mjs', 'b.mjs', 'modinfo.json']);
  });

  test('into another file, by path or URL', () => {
    const [dir, other] = [aDirectory(), aDirectory()];
    writeModule(dir, { name: 'a' });
    const manifest = writeManifest(dir, pathToFileURL(join(other, 'list.json')));
    expect(JSON.parse(readFileSync(join(other, 'list.json'), 'utf8'))).toEqual(manifest);
    expect(readdirSync(dir)).toEqual(['a.mjs']);
  });

  test('where modules are refused, the old one stays', () => {
    const dir = aDirectory();
    writeModule(dir, { name: 'a' });
    writeManifest(dir);
    const before = readFileSync(join(dir, 'modinfo.json'), 'utf8');
    writeModule(dir, { name: 'b', depends: ['x'] });
    failure('COEXIST_EREFUSED', () => writeManifest(dir));
    expect(readFileSync(join(dir, 'modinfo.json'), 'utf8')).toBe(before);
  });

  test('where it cannot be written, nothing is left behind', () => {
    const dir = aDirectory();
    writeModule(join(dir, 'list.json'), { name: 'a' });
    expect(() => saveManifest({ format: 1, modules: [] }, join(dir, 'list.json'))).toThrow(/EISDIR|ENOTEMPTY/);
    expect(() => saveManifest({ format: 1, modules: [] }, join(dir, 'none/list.json'))).toThrow(/ENOENT/);
    expect(readdirSync(dir)).toEqual(['list.json']);
  });
});

describe('banner()', () => {
  const declaration: ModuleDeclaration = {
    name: 'a',
    fingerprint: aBuild(),
    objects: ['x */ y', '*/*/'],
    interfaces: { i: 1 },
  };

  test('is the comment that readDeclaration() reads', () => {
    const text = banner(declaration);
    expect(text.indexOf('*/')).toBe(text.length - 2);
    expect(readDeclaration(`${text}\ncode()`)).toMatchObject(declaration);
  });

  test('of what is no declaration is refused', () => {
    const wrong = { ...declaration, objects: [''] };
    expect(failure('COEXIST_EINVAL', () => banner(wrong)).message).toContain('declaration.objects[0] is ""');
  });
});
