// Every way to load the library in one thread leads to one area and one slot: two copies, ESM and CommonJS, vm contexts.

import { expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { program } from '../support/program.js';

test('two copies imported at once, one by import and one by require', async () => {
  const { result } = await program(async ({ load, urls }) => {
    const { createRequire } = await load<typeof import('node:module')>('node:module');
    const require = createRequire(urls.a);
    const [a, b] = [load(urls.a), require(new URL(urls.b).pathname) as typeof core];
    const area = b.attach();
    const first = b.register({ name: 'by-require' });
    const second = (await a).register({ name: 'by-import' });
    return {
      ids: [area.id, (await a).attach().id],
      slots: [first.slot, second.slot],
      rows: (await a).attach().inspect().slots,
    };
  });
  expect(result.ids[0]).toBe(result.ids[1]);
  expect(result.slots).toEqual([0, 0]);
  expect(result.rows).toHaveLength(1);
  expect(result.rows[0]).toMatchObject({ refcount: 2, holders: ['by-require', 'by-import'] });
});

test('require() and import of the same copy are one module', async () => {
  const { result } = await program(async ({ load, urls }) => {
    const { createRequire } = await load<typeof import('node:module')>('node:module');
    const required = createRequire(urls.a)(new URL(urls.a).pathname) as typeof core;
    return required.attach === (await load(urls.a)).attach;
  });
  expect(result).toBe(true);
});

test('two copies that attach at once in an orphan worker', async () => {
  const { result, stderr } = await program(
    ({ spawn }) =>
      spawn(async ({ attachAsync, attach }) => [
        ...(await Promise.all([attachAsync('a'), attachAsync('b')])),
        await attach('a'),
        await attach('b'),
      ]).result,
  );
  expect(result[0]?.code).toBe('');
  expect(result).toEqual(Array(4).fill(result[0]));
  expect(stderr).toBe('');
});

test('copies inside vm contexts, in main and in an orphan worker', async () => {
  const { result } = await program(
    async ({ spawn }) => {
      const worker = spawn(async ({ load, urls }) => {
        const vm = await load<typeof import('node:vm')>('node:vm');
        const { readFileSync } = await load<typeof import('node:fs')>('node:fs');
        const text = readFileSync(new URL('core.js', urls.a), 'utf8');
        // A realm with its own intrinsics, and of the host's globals only process.
        const inContext = async (): Promise<typeof core> => {
          const module = new vm.SourceTextModule(text, { context: vm.createContext({ process }) });
          await module.link((specifier) => {
            throw new Error(`core.js imports ${specifier}`);
          });
          await module.evaluate();
          return module.namespace as typeof core;
        };
        const libraries = [await inContext(), await load(urls.b), await inContext()];
        const registrations = libraries.map((library) => library.register());
        const ids = libraries.map((library) => library.attach().id);
        const errors = libraries.map((library) => new library.CoexistError('COEXIST_EINVAL', '', { remedy: '' }));
        const rows = libraries[0]?.attach().inspect().slots;
        for (const registration of registrations) registration.unregister();
        return {
          ids,
          realms: errors.map((error) => error instanceof Error),
          refcounts: rows?.map(({ refcount }) => refcount),
          left: libraries[1]?.attach().inspect().slots.length,
        };
      });
      return worker.result;
    },
    { flags: ['--experimental-vm-modules'] },
  );
  expect(new Set(result.ids).size).toBe(1);
  expect(result.ids[0]).toBeGreaterThan(0);
  expect(result.realms).toEqual([false, true, false]);
  expect(result.refcounts).toEqual([3]);
  expect(result.left).toBe(0);
});
