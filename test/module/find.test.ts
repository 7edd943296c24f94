// Where the file of a module is: the order of directories, the build's own directory, what leads out of them, and what is no file.

import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { aFolder, find, lib, ORIGIN, OURS, place, refused, THEIRS } from '../support/module-entries.js';

const pathOf = (found: ReturnType<typeof find>): string => {
  if (!found.ok) throw new Error(JSON.stringify(found));
  return found.path;
};

describe('the order of directories', () => {
  test('the first that has the file decides', () => {
    const [a, b] = [aFolder(), aFolder()];
    place(a, 'export const from = 1;');
    const entry = place(b, 'export const from = 1;');
    expect(pathOf(find(entry, [a, b]))).toBe(join(a, 'zip.mjs'));
    expect(pathOf(find(entry, [b, a]))).toBe(join(b, 'zip.mjs'));
  });

  test('a bad file is not passed over for a good one in a later directory', () => {
    const [bad, good] = [aFolder(), aFolder()];
    const entry = place(good, 'export {};');
    writeFileSync(join(bad, 'zip.mjs'), 'export {};');
    expect(refused(find(entry, [bad, good])).reason).toBe('not-a-module');
  });

  test('directories that are not there hold nothing', () => {
    const folder = aFolder();
    const entry = place(folder, 'export {};');
    const notThere = join(folder, 'not-there');
    const aFile = join(folder, 'zip.mjs');
    expect(pathOf(find(entry, [notThere, aFile, folder]))).toBe(aFile);
  });

  test('what is in none is absent, and the message names the directories', () => {
    const folder = aFolder();
    const entry = { ...place(folder, 'export {};'), file: 'other.mjs' };
    const found = find(entry, [folder]);
    expect(found).toMatchObject({ ok: false, outcome: 'absent', missing: 'zip' });
    expect(!found.ok && found.outcome === 'absent' && found.message).toBe(
      `module "zip" is not installed: no other.mjs found, expected in ${folder}. Install it if it is needed.`,
    );
  });
});

describe("the build's own directory", () => {
  test('has the module of a process that outlives an upgrade', () => {
    const folder = aFolder();
    const entry = place(folder, 'export const old = true;');
    mkdirSync(join(folder, OURS));
    renameSync(join(folder, 'zip.mjs'), join(folder, OURS, 'zip.mjs'));
    expect(pathOf(find(entry, [folder]))).toBe(join(folder, OURS, 'zip.mjs'));
    place(folder, 'export const old = false;', { fingerprint: THEIRS });
    expect(pathOf(find(entry, [folder]))).toBe(join(folder, OURS, 'zip.mjs'));
  });

  test('is looked for in all directories, in their order', () => {
    const [a, b] = [aFolder(), aFolder()];
    place(a, 'export {};', { fingerprint: THEIRS });
    const entry = place(join(b, OURS), 'export {};');
    expect(pathOf(find(entry, [a, b]))).toBe(join(b, OURS, 'zip.mjs'));
  });

  test('does not count where the first file is bad, and of this build', () => {
    const folder = aFolder();
    const entry = place(join(folder, OURS), 'export const x = 1;');
    place(folder, 'export const x = 2;');
    expect(refused(find(entry, [folder])).reason).toBe('content');
  });

  test('is verified as any other', () => {
    const folder = aFolder();
    const entry = place(folder, 'export {};');
    place(folder, 'export {};', { fingerprint: THEIRS });
    place(join(folder, OURS), 'export {};', { fingerprint: THEIRS });
    const { reason, message } = refused(find(entry, [folder]));
    expect(reason).toBe('build');
    expect(message).toContain(join(folder, OURS, 'zip.mjs'));
  });

  test('without it another build is refused, with both fingerprints and both paths', () => {
    const folder = aFolder();
    const entry = place(folder, 'export {};');
    place(folder, 'export {};', { fingerprint: THEIRS });
    const path = join(folder, 'zip.mjs');
    expect(refused(find(entry, [folder]))).toEqual({
      reason: 'build',
      message:
        `COEXIST_EREFUSED: module "zip" is of build ${THEIRS} at ${path}, expected build ${OURS} of ${ORIGIN}. ` +
        'Rebuild or reinstall the module and its host so that both are of one build; behind an upgrade, start the program again.',
      found: { fingerprint: THEIRS, path },
      expected: { fingerprint: OURS, path: ORIGIN },
    });
  });
});

describe('paths', () => {
  test('a link out of the directory is refused', () => {
    const [folder, elsewhere] = [aFolder(), aFolder()];
    const entry = place(elsewhere, 'export {};');
    symlinkSync(join(elsewhere, 'zip.mjs'), join(folder, 'zip.mjs'));
    const { reason, found, expected } = refused(find(entry, [folder]));
    expect([reason, found, expected]).toEqual(['outside', join(elsewhere, 'zip.mjs'), folder]);
  });

  test('so is one into a directory whose name begins alike', () => {
    const parent = aFolder();
    const entry = place(join(parent, 'modules-old'), 'export {};');
    mkdirSync(join(parent, 'modules'));
    symlinkSync(join(parent, 'modules-old', 'zip.mjs'), join(parent, 'modules', 'zip.mjs'));
    expect(refused(find(entry, [join(parent, 'modules')])).reason).toBe('outside');
  });

  test("so is the build's own directory, where that is a link out", () => {
    const [folder, elsewhere] = [aFolder(), aFolder()];
    const entry = place(elsewhere, 'export {};');
    symlinkSync(elsewhere, join(folder, OURS));
    expect(refused(find(entry, [folder])).reason).toBe('outside');
  });

  test('a link within the directory is followed, and the path is the real one', () => {
    const folder = aFolder();
    const entry = place(join(folder, 'v1'), 'export {};');
    symlinkSync(join('v1', 'zip.mjs'), join(folder, 'zip.mjs'));
    expect(pathOf(find(entry, [folder]))).toBe(join(folder, 'v1', 'zip.mjs'));
  });

  test('the directory itself may be a link', () => {
    const folder = aFolder();
    const entry = place(join(folder, 'v1'), 'export {};');
    symlinkSync('v1', join(folder, 'current'));
    expect(pathOf(find(entry, [join(folder, 'current')]))).toBe(join(folder, 'v1', 'zip.mjs'));
  });

  test('a link that leads nowhere is not passed over', () => {
    const [folder, good] = [aFolder(), aFolder()];
    const entry = place(good, 'export {};');
    symlinkSync('nowhere', join(folder, 'zip.mjs'));
    const { reason, found } = refused(find(entry, [folder, good]));
    expect([reason, found]).toEqual(['unreadable', 'ENOENT']);
  });

  test('a link to itself is unreadable', () => {
    const folder = aFolder();
    const entry = place(folder, 'export {};', { file: 'other.mjs' });
    symlinkSync('zip.mjs', join(folder, 'zip.mjs'));
    expect(refused(find({ ...entry, file: 'zip.mjs' }, [folder])).found).toBe('ELOOP');
  });

  test.each(['../zip.mjs', '..', '.', '', 'a/zip.mjs', '/etc/passwd', 'a\\zip.mjs'])(
    'a file named %j is refused',
    (file) => {
      const folder = aFolder();
      const entry = place(folder, 'export {};');
      expect(refused(find({ ...entry, file }, [join(folder, 'a')])).reason).toBe('outside');
    },
  );

  test('a zero byte in a directory or a file is refused, not thrown', () => {
    const folder = aFolder();
    const entry = place(folder, 'export {};');
    expect(refused(find(entry, [`${folder}\0`])).reason).toBe('unreadable');
    expect(refused(find({ ...entry, file: 'zip.mjs\0.txt' }, [folder])).reason).toBe('unreadable');
  });

  test('names with percent signs and other alphabets are paths like any other', () => {
    const folder = join(aFolder(), 'Модули 100%25 #1?');
    const entry = place(folder, 'export {};', { file: 'zip%00é.mjs' });
    expect(pathOf(find(entry, [folder]))).toBe(join(folder, 'zip%00é.mjs'));
  });
});

describe('what is no file', () => {
  test('a directory', () => {
    const folder = aFolder();
    const entry = place(folder, 'export {};', { file: 'other.mjs' });
    mkdirSync(join(folder, 'zip.mjs'));
    expect(refused(find({ ...entry, file: 'zip.mjs' }, [folder]))).toMatchObject({
      reason: 'not-a-file',
      found: 'a directory',
      expected: 'a regular file',
    });
  });

  test('a pipe that nobody writes, without waiting for a writer', () => {
    const folder = aFolder();
    const entry = place(folder, 'export {};', { file: 'other.mjs' });
    execFileSync('mkfifo', [join(folder, 'zip.mjs')]);
    expect(refused(find({ ...entry, file: 'zip.mjs' }, [folder]))).toMatchObject({
      reason: 'not-a-file',
      found: 'a pipe',
    });
  });

  test('a device, opened under its real path', () => {
    expect(lib.host.modules.read('/dev/null', 100)).toEqual({ is: 'another-kind', kind: 'a device' });
  });

  test('a link in the place of the real path is not followed', () => {
    const folder = aFolder();
    place(folder, 'export {};');
    symlinkSync('zip.mjs', join(folder, 'swapped.mjs'));
    expect(lib.host.modules.read(join(folder, 'swapped.mjs'), 1000)).toMatchObject({ is: 'unreadable' });
  });
});

describe('size', () => {
  test('a file of 200 MB is refused unread', () => {
    const folder = aFolder();
    const entry = place(folder, 'export {};');
    truncateSync(join(folder, 'zip.mjs'), 200e6);
    const before = process.memoryUsage().arrayBuffers;
    const { reason, found, expected } = refused(find(entry, [folder], 64 * 2 ** 20));
    expect([reason, found, expected]).toEqual(['too-large', 200e6, 64 * 2 ** 20]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });

  test('the limit itself is allowed', () => {
    const folder = aFolder();
    const entry = place(folder, 'export {};');
    expect(find(entry, [folder], entry.bytes).ok).toBe(true);
    expect(refused(find(entry, [folder], entry.bytes - 1)).reason).toBe('too-large');
  });
});

test('a file that this process may not read is refused with the cause', () => {
  const folder = aFolder();
  const entry = place(folder, 'export {};');
  const { realPath } = lib.host.modules;
  const denied = Object.assign(new Error('permission denied'), { code: 'EACCES' });
  Object.assign(lib.host.modules, { realPath: () => ({ is: 'unreadable', cause: denied }) });
  const found = find(entry, [folder]);
  Object.assign(lib.host.modules, { realPath });
  expect(refused(found)).toMatchObject({ reason: 'unreadable', found: 'EACCES', expected: 'a readable file' });
  expect(!found.ok && found.outcome === 'refused' && found.error.cause).toBe(denied);
});
