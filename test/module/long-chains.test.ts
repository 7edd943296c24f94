// Chains of dependencies as long as a manifest: what is given up goes from one end to the other, whichever end it begins at.

import type { Manifest, ManifestModule } from 'coexist/modinfo';
import { expect, test } from 'vitest';
import { aHost, told } from '../support/loaders.js';
import { everything } from '../support/module-state.js';
import { aBuild } from '../support/modules.js';

const LENGTH = 5000;
const nameAt = (k: number): string => `m${String(k).padStart(4, '0')}`;

/** Each depends on the next; there is no file of any of them. */
function chain(): Manifest {
  const modules = Array.from({ length: LENGTH }, (_, k): ManifestModule => {
    const nothing = { objects: [], options: [], targets: [], interfaces: {}, references: [] };
    const depends = k + 1 < LENGTH ? [nameAt(k + 1)] : [];
    const file = { type: 'module', file: `${nameAt(k)}.mjs`, sha256: aBuild(k), bytes: 1 } as const;
    return { name: nameAt(k), fingerprint: aBuild(), depends, ...nothing, ...file };
  });
  return { format: 1, modules };
}

test('the last dependency of a chain takes all that depends on it with it', async () => {
  const host = aHost([], { manifest: chain() });
  const before = everything(host);
  const outcome = await host.loader.load(nameAt(0));
  expect(told(outcome)).toBe(`absent ${nameAt(LENGTH - 1)}`);
  expect('chain' in outcome && outcome.chain.length).toBe(LENGTH);
  expect(everything(host)).toEqual(before);
});

test('a request that is given up takes all that it depends on with it', async () => {
  const host = aHost([], { manifest: chain() });
  const before = everything(host);
  const outcome = await host.loader.load(nameAt(0), { signal: AbortSignal.abort(new Error('no more')) });
  expect(told(outcome)).toMatch(/^failed COEXIST_EABORTED/);
  expect(everything(host)).toEqual(before);
});
