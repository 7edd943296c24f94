// Whether a file is the module that was asked for: its declaration, its build, its bytes, and the places that are replaced in it. What is
// refused names what was found first, and has not run.

import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { aFolder, declared, find, lib, OURS, place, refused, sha256, THEIRS } from '../support/module-entries.js';

const SOURCE = 'export const three = 3;\n';

/** The manifest's entry of a file whose bytes were replaced after. */
function replaced(bytes: string | Uint8Array) {
  const folder = aFolder();
  const entry = place(folder, SOURCE);
  const path = join(folder, entry.file);
  writeFileSync(path, bytes);
  return { entry, path, found: find(entry, [folder]) };
}

describe('what is not a module', () => {
  test('an empty file', () => {
    expect(refused(replaced('').found)).toMatchObject({
      reason: 'not-a-module',
      found: 'no declaration in its 0 bytes',
      expected: 'the declaration of module "zip"',
    });
  });

  test('a file without a declaration', () => {
    expect(refused(replaced(SOURCE).found).reason).toBe('not-a-module');
  });

  test('one that declares another module, naming both', () => {
    const { found, path } = replaced(declared('sqlite') + SOURCE);
    const { reason, message } = refused(found);
    expect(reason).toBe('not-a-module');
    expect(message).toMatch(
      `${path} holds the declaration of module "sqlite", expected the declaration of module "zip". `,
    );
  });

  test.each([
    ['no JSON', '/*! coexist-module {name: "zip"} */'],
    ['no end', '/*! coexist-module {"name": "zip"'],
    ['two', declared('zip') + declared('zip')],
    ['no fingerprint', '/*! coexist-module {"name": "zip"} */'],
  ])('a malformed declaration (%s), with the cause', (_, text) => {
    const { found } = replaced(text);
    expect(refused(found)).toMatchObject({ reason: 'not-a-module', found: 'a malformed declaration' });
    expect(!found.ok && found.outcome === 'refused' && found.error.cause).toMatchObject({ code: 'COEXIST_EINVAL' });
  });

  test('what is no UTF-8, though the manifest has its hash', () => {
    const folder = aFolder();
    const entry = place(folder, `${SOURCE}// `);
    const bytes = Buffer.concat([readFileSync(join(folder, entry.file)), Buffer.of(0xff, 0xfe)]);
    writeFileSync(join(folder, entry.file), bytes);
    const found = find({ ...entry, bytes: bytes.length, sha256: sha256(bytes) }, [folder]);
    expect(refused(found)).toMatchObject({ reason: 'not-a-module', found: 'no UTF-8' });
  });
});

test('another build is named before other bytes are', () => {
  const { found } = replaced(declared('zip', THEIRS) + SOURCE);
  expect(refused(found)).toMatchObject({
    reason: 'build',
    found: { fingerprint: THEIRS },
    expected: { fingerprint: OURS },
  });
});

describe('other bytes than the manifest has', () => {
  test('a truncated file, with both sizes', () => {
    const folder = aFolder();
    const entry = place(folder, SOURCE);
    truncateSync(join(folder, entry.file), entry.bytes - 5);
    expect(refused(find(entry, [folder]))).toMatchObject({
      reason: 'content',
      found: entry.bytes - 5,
      expected: entry.bytes,
    });
  });

  test('one byte more', () => {
    const folder = aFolder();
    const entry = place(folder, SOURCE);
    appendFileSync(join(folder, entry.file), ' ');
    expect(refused(find(entry, [folder]))).toMatchObject({ found: entry.bytes + 1, expected: entry.bytes });
  });

  test('as many, one of them another, with both hashes', () => {
    const text = declared('zip') + SOURCE.replace('3;', '4;');
    const { found, entry, path } = replaced(text);
    const hash = sha256(Buffer.from(text));
    expect(refused(found)).toMatchObject({ reason: 'content', found: hash, expected: entry.sha256 });
    expect(refused(found).message).toContain(
      `${path} has the SHA-256 ${hash}, expected ${entry.sha256} of the manifest`,
    );
  });

  test('line ends made into others', () => {
    expect(refused(replaced((declared('zip') + SOURCE).replaceAll('\n', '\r\n')).found).reason).toBe('content');
  });

  test('cut within a character', () => {
    const folder = aFolder();
    const entry = place(folder, `${SOURCE}//é`);
    truncateSync(join(folder, entry.file), entry.bytes - 1);
    expect(refused(find(entry, [folder]))).toMatchObject({ reason: 'content', found: entry.bytes - 1 });
  });
});

describe('what the text is', () => {
  const textOf = (found: ReturnType<typeof find>): string => (found.ok ? found.text : JSON.stringify(found));

  test('the bytes, line ends and all', () => {
    const folder = aFolder();
    const entry = place(folder, 'export const é = "\u{1f600}";\r\n');
    expect(textOf(find(entry, [folder]))).toBe(`${declared('zip')}export const é = "\u{1f600}";\r\n`);
  });

  test('a byte order mark is no part of it', () => {
    const folder = aFolder();
    const entry = place(folder, SOURCE, { before: '\ufeff' });
    expect(textOf(find(entry, [folder]))).toBe(declared('zip') + SOURCE);
  });

  test('the declaration may stand behind a line for the shell', () => {
    const folder = aFolder();
    const entry = place(folder, SOURCE, { before: '#!/usr/bin/env node\n' });
    expect(textOf(find(entry, [folder]))).toBe(`#!/usr/bin/env node\n${declared('zip')}${SOURCE}`);
  });

  test('the file is opened and read once, and what was read is the text, whatever becomes of the file', () => {
    const folder = aFolder();
    const entry = place(folder, SOURCE);
    const { modules } = lib.host;
    const { read } = modules;
    let reads = 0;
    Object.assign(modules, {
      read: (path: string, maxBytes: number) => {
        reads += 1;
        const bytes = read(path, maxBytes);
        writeFileSync(path, 'throw new Error("replaced")');
        return bytes;
      },
    });
    const found = find(entry, [folder]);
    Object.assign(modules, { read });
    expect(reads).toBe(1);
    expect(textOf(found)).toBe(declared('zip') + SOURCE);
  });
});

describe('places that are replaced', () => {
  const source = 'import zlib from "zlib-wasm";\nexport const at = import.meta.url;\n';
  const held = (references: Parameters<typeof place>[2]) => {
    const folder = aFolder();
    return find(place(folder, source, references), [folder]);
  };

  test('are let in where each holds what the manifest says', () => {
    expect(
      held({
        references: [
          ['"zlib-wasm"', 'import'],
          ['import.meta.url', 'url'],
        ],
      }).ok,
    ).toBe(true);
  });

  test.each([
    ['another specifier', ['"zlib-wasm"', 'import', 'zlib'], '"zlib-wasm"'],
    ['no quotes', ['zlib-wasm', 'import', 'zlib-wasm'], 'zlib-wasm'],
    ['another property', ['import.meta.url', 'filename'], 'import.meta.url'],
    ['anything else', ['export', 'import()'], 'export'],
  ] as const)('are refused where one holds %s', (_, reference, text) => {
    const { reason, found } = refused(held({ references: [reference] }));
    expect([reason, found]).toEqual(['content', text]);
  });

  test('are refused where they are not in order', () => {
    const found = held({
      references: [
        ['import.meta.url', 'url'],
        ['"zlib-wasm"', 'import'],
      ],
    });
    expect(refused(found).reason).toBe('content');
  });

  test('are refused beyond the end', () => {
    const folder = aFolder();
    const entry = place(folder, source);
    const references = [{ start: 10_000, end: 10_015, is: 'url' }] as const;
    expect(refused(find({ ...entry, references }, [folder])).reason).toBe('content');
  });
});
