// The stepping assembly of the wasm: the same operations in the same order as the JavaScript twin, where the two are the same
// algorithm, and every atomic instruction of the sources.

import { readdirSync, readFileSync } from 'node:fs';
import { explore } from 'coexist/explore';
import { describe, expect, test } from 'vitest';
import { type Backend, optionsOf, type Protocol, protocols } from '../../workers/explore-protocols.js';

const CORE = new URL('../../dist/core.js', import.meta.url);
const BUILD = new URL('../../build/workers/', import.meta.url);
const WASM = new URL('../../src/wasm/', import.meta.url);
const { steppingWat } = (await import(new URL('../../scripts/stepping-wat.js', import.meta.url).href)) as {
  steppingWat(text: string): string;
};

async function traceOf(name: string, backend: Backend): Promise<readonly string[]> {
  const protocol = protocols.find((candidate) => candidate.name === name) as Protocol;
  const options = optionsOf(protocol, backend, { threads: 2, maxPreemptions: 0, kills: 0 }, BUILD, CORE.href);
  const { failure, trace } = await explore({ ...options, replay: 'x1:' });
  expect(failure).toBeUndefined();
  return trace;
}

/** How the two differ: the twin reads the header's fixed fields once, looks at owners by halves, and counts by CAS. */
const common = (line: string): boolean => {
  if (/load (slot_offset|slot_stride|slot_capacity|feature_size|header_feature_size)\b/.test(line)) return false;
  if (/load slot\[\d\]\.owner/.test(line)) return false;
  return !/(load|compareExchange) slot\[\d\]\.refcount/.test(line);
};

describe('operations of the wasm and of the twin', () => {
  test.each(['register', 'claim', 'leftover', 'key', 'mutex', 'rwlock', 'condvar', 'semaphore', 'barrier'])(
    '%s',
    async (name) => {
      const wasm = (await traceOf(name, 'wasm')).filter(common);
      const twin = (await traceOf(name, 'twin')).filter(common);
      expect(wasm.length).toBeGreaterThan(5);
      expect(wasm).toEqual(twin);
    },
  );
});

describe('the text that is assembled', () => {
  const files = readdirSync(WASM).filter((name) => name.endsWith('.wat'));

  test('there are sources', () => expect(files).toContain('transitions.wat'));

  test.each(files)('%s: every atomic instruction is stepped', (file) => {
    const text = readFileSync(new URL(file, WASM), 'utf8')
      .replace(/%store_name_words%/, '')
      .replace(/%[\w.]+%/g, '0');
    const atomics = text.match(/\((?:i32|i64|memory)\.atomic\./g) ?? [];
    expect(atomics.length).toBeGreaterThan(0);
    const stepping = steppingWat(text);
    expect(stepping.match(/\(call \$step\.(?:i32|i64|memory)\.atomic\./g)?.length).toBe(atomics.length);
    const left = stepping.match(/\((?:i32|i64|memory)\.atomic\./g) ?? [];
    // One of each in its helper; waits and notifications are the scheduler's.
    const helpers = stepping.match(/\(func \$step\.(?:i32|i64)\.atomic\./g) ?? [];
    expect(left.length).toBe(helpers.length);
  });

  test('what it does not know is refused', () => {
    expect(() => steppingWat('(module (func (atomic.fence)))')).toThrow('does not know');
    expect(() => steppingWat('(module (func i32.const 0 i32.atomic.load drop))')).toThrow('does not know');
  });
});
