// A thread may hold more copies of the library than Node allows listeners before it warns of a leak: they share one registration
// and one set of listeners.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type * as core from '../src/core.js';

const COPIES = 12;
const folder = mkdtempSync(join(tmpdir(), 'coexist-copies-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test(`${COPIES} copies count on one slot, with one listener for workers`, async () => {
  const before = process.listenerCount('worker');
  const warnings: Error[] = [];
  process.on('warning', (warning) => warnings.push(warning));
  const registrations: core.Registration[] = [];
  for (let copy = 0; copy < COPIES; copy++) {
    const file = join(folder, `${copy}.mjs`);
    cpSync(new URL('../dist/core.js', import.meta.url), file);
    const coexist = (await import(pathToFileURL(file).href)) as typeof core;
    registrations.push(coexist.register());
    expect(coexist.attach().inspect().slots).toMatchObject([{ refcount: copy + 1 }]);
  }
  expect(new Set(registrations.map(({ slot }) => slot)).size).toBe(1);
  expect(process.listenerCount('worker') - before).toBe(1);
  for (const registration of registrations) registration.unregister();
  // Warnings are emitted in the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
});
