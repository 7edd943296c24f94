// The bridge leads to the main thread from any depth, and what it brings back is inherited from there.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test('a nested worker reaches main through a parent that never loads the library', async () => {
  const { result, stderr } = await program(async ({ attach, spawn }) => {
    const parent = spawn(async ({ spawn }) => {
      const nested = spawn(async ({ spawn, attach }) => {
        const deepest = await spawn(({ attach }) => attach()).result;
        return { deepest, middle: await attach('b') };
      });
      return nested.result;
    });
    return { ...(await parent.result), main: await attach() };
  });
  expect(result.deepest.code).toBe('');
  expect(result.middle).toEqual(result.deepest);
  expect(result.main).toEqual(result.deepest);
  expect(stderr).toBe('');
});

test('a nested worker started after its parent came through the bridge inherits the area', async () => {
  const { result, stderr } = await program(
    ({ spawn }) =>
      spawn(async ({ attach, spawn }) => {
        const own = await attach();
        const nested = spawn(async ({ attach, load, urls }) => {
          const { probe } = await load(urls.b);
          return { via: probe().via, outcome: await attach('b') };
        });
        return { own, nested: await nested.result };
      }).result,
  );
  expect(result.own.code).toBe('');
  expect(result.nested).toEqual({ via: 'environment', outcome: result.own });
  expect(stderr).toBe('');
});
