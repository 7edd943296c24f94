// Clause 75: the namespaces of a thread: their anchor, what is on it, the paths of their files, and whose links are removed.

import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type * as namespaces from '../../src/namespace.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

type Api = typeof namespaces;

const dir = mkdtempSync(join(tmpdir(), 'coexist-clause-75-'));
afterAll(() => rmSync(dir, { recursive: true }));
writeFileSync(join(dir, 'file.mjs'), 'export const url = import.meta.url;');
writeFileSync(join(dir, 'bad.mjs'), 'throw new Error("no");');
const urls = [copyUrl('a', 'namespace.js'), copyUrl('b', 'namespace.js')] as const;

test('the anchor holds what the clause says, and a second copy calls it', async () => {
  const clause = readFileSync(new URL('../../docs/ABI.md', import.meta.url), 'utf8').split('### 75. ')[1] ?? '';
  const properties = [...clause.matchAll(/^\| (\w+) +\|/gm)].map(([, name]) => name).slice(1);
  expect(properties).toContain('openNamespace');
  const { result } = await inChild(async ({ load }, [a, b]) => {
    const [first, second] = [await load<Api>(a), await load<Api>(b)];
    const ns = first.openNamespace();
    const shelf = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, object>;
    const key = Symbol.for('coexist.namespaces.v1');
    const { writable, configurable, enumerable } = Object.getOwnPropertyDescriptor(shelf, key) ?? {};
    return {
      properties: Object.keys(shelf[key] ?? {}),
      descriptor: { writable, configurable, enumerable },
      same: second.openNamespace({ id: ns.id }) === ns,
    };
  }, urls);
  expect(result).toEqual({
    properties,
    descriptor: { writable: false, configurable: false, enumerable: false },
    same: true,
  });
});

test.each([
  ['another version', { version: 2 }],
  ['something else', 7],
])('%s on the anchor is refused', async (_, value) => {
  const { result } = await inChild(
    async ({ load }, [url, found]) => {
      const shelf = process.getBuiltinModule('node:worker_threads');
      Object.defineProperty(shelf, Symbol.for('coexist.namespaces.v1'), { value: found });
      const { openNamespace } = await load<Api>(url as string);
      try {
        openNamespace();
        return 'opened';
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    },
    [urls[0], value],
  );
  expect(result).toBe('COEXIST_EANCHOR');
});

interface Seen {
  readonly root: string;
  readonly labels: readonly string[];
  readonly mode: number;
  readonly targets: readonly string[];
}

/** What a process has made, while it lives. */
const seen = (args: readonly string[]) =>
  inChild(async ({ load }, [url = '', from = '']) => {
    const fs = process.getBuiltinModule('node:fs');
    const { openNamespace } = await load<Api>(url);
    const permanent = openNamespace({ from });
    openNamespace({ kind: 'closable' });
    const { module } = await permanent.open('./file.mjs');
    await permanent.open('./bad.mjs').catch(() => {});
    const path = new URL((module as { url: string }).url).pathname;
    const root = path.slice(0, path.indexOf('/', path.indexOf('coexist-ns-')));
    const labels = fs.readdirSync(root).sort();
    const result: Seen = {
      root,
      labels,
      mode: fs.lstatSync(root).mode & 0o777,
      targets: labels.map((label) => fs.readlinkSync(`${root}/${label}`)),
    };
    return { ...result, path, pid: process.pid };
  }, args);

describe('paths and links', () => {
  test('are those of the clause, and go with the process', async () => {
    const { result } = await seen([urls[0], join(dir, 'app.js')]);
    const { root, labels, mode, targets, path, pid } = result;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    const inode = Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]).toString(16);
    expect(root).toMatch(new RegExp(`/coexist-ns-${boot}${inode}\\.${pid}\\.[0-9a-f]+\\.[A-Za-z0-9]+$`));
    expect({ labels, mode, targets }).toEqual({ labels: ['1', '1.1', 'c2'], mode: 0o700, targets: ['/', '/', '/'] });
    expect(path).toBe(`${root}/1${join(dir, 'file.mjs')}`);
    expect(existsSync(root)).toBe(false);
  });

  test('of the dead are removed by the next, and no others', async () => {
    const within = mkdtempSync(join(tmpdir(), 'coexist-clause-75-'));
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    const scope = `${boot}${Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]).toString(16)}`;
    const victim = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const statOf = (pid: number): string => readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8');
    const identityOf = (pid: number): string => {
      const stat = statOf(pid);
      const start = BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string);
      return ((start << 22n) | BigInt(pid)).toString(16);
    };
    const pid = victim.pid as number;
    const living = `coexist-ns-${scope}.${pid}.${identityOf(pid)}.living`;
    // The same thread's number, started at another time.
    const dead = `coexist-ns-${scope}.${pid}.${((1n << 22n) | BigInt(pid)).toString(16)}.dead01`;
    const elsewhere = `coexist-ns-0000aaaa1.${pid}.${((1n << 22n) | BigInt(pid)).toString(16)}.other1`;
    const random = `coexist-ns-${scope}.${pid}.${((1n << 61n) | 5n).toString(16)}.living`;
    const foreign = `coexist-ns-${scope}.not-a-pid.x`;
    for (const name of [living, dead, elsewhere, random, foreign]) {
      mkdirSync(join(within, name));
      symlinkSync('/', join(within, name, '1'));
    }
    // What is no link or no directory of ours stays as it is.
    const file = `coexist-ns-${scope}.${pid}.${((2n << 22n) | BigInt(pid)).toString(16)}.afile1`;
    writeFileSync(join(within, file), '');
    try {
      const text = `const { openNamespace } = await import(${JSON.stringify(urls[0])}); openNamespace();`;
      execFileSync(process.execPath, ['--input-type=module', '--eval', text], {
        env: { ...process.env, TMPDIR: within },
        timeout: 20_000,
      });
      expect(readdirSync(within).sort()).toEqual([living, elsewhere, random, foreign, file].sort());
      expect(lstatSync('/').isDirectory()).toBe(true);
    } finally {
      victim.kill('SIGKILL');
      rmSync(within, { recursive: true });
    }
  });
});
