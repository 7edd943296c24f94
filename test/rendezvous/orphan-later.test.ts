// Without the bridge, a worker that was started too early waits in attachAsync() until the main thread attaches.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

const env = { COEXIST_NO_INSPECTOR: '1' };

test('attachAsync() resolves when main attaches later', async () => {
  const { result, stderr } = await program(
    async ({ attach, sleep, spawn, until, word }) => {
      const waiting = word();
      const orphan = spawn(async ({ attach, attachAsync, load, urls }, waiting) => {
        const sync = await attach();
        let turns = 0;
        const turn = setInterval(() => {
          turns++;
          Atomics.store(waiting, 0, turns);
        }, 10).unref();
        const outcome = await attachAsync();
        clearInterval(turn);
        const { probe } = await load(urls.a);
        return { sync, turns, outcome, synchronous: await attach(), via: probe().via };
      }, waiting);
      await until(waiting);
      await sleep(150);
      const main = await attach('b');
      return { main, orphan: await orphan.result, exitCode: await orphan.exited };
    },
    { env },
  );
  const { main, orphan } = result;
  expect(orphan.sync.code).toBe('COEXIST_ERENDEZVOUS');
  expect(main.code).toBe('');
  expect(orphan.outcome).toEqual(main);
  expect(orphan.synchronous).toEqual(main);
  expect(orphan.turns).toBeGreaterThan(0);
  expect(orphan.via).toBe('anchor');
  expect(result.exitCode).toBe(0);
  expect(stderr).toBe('');
});

test('attachAsync() resolves when main had attached after the worker was started', async () => {
  const { result, stderr } = await program(
    async ({ attach, spawn, word }) => {
      const go = word();
      const orphan = spawn(({ attachAsync, blockUntil }, go) => {
        blockUntil(go);
        return attachAsync();
      }, go);
      const main = await attach();
      Atomics.store(go, 0, 1);
      Atomics.notify(go, 0);
      return { main, orphan: await orphan.result };
    },
    { env },
  );
  expect(result.main.code).toBe('');
  expect(result.orphan).toEqual(result.main);
  expect(stderr).toBe('');
});

test('several orphans, nested ones and two copies in each, come to one area', async () => {
  const { result, stderr } = await program(
    async ({ attach, sleep, spawn }) => {
      const orphans = [0, 1].map(() =>
        spawn(async ({ attachAsync, spawn }) => {
          const nested = spawn(({ attachAsync }) => Promise.all([attachAsync('a'), attachAsync('b')]));
          return [...(await Promise.all([attachAsync('b'), attachAsync('a')])), ...(await nested.result)];
        }),
      );
      await sleep(50);
      const main = await attach();
      return { main, orphans: await Promise.all(orphans.map(({ result }) => result)) };
    },
    { env },
  );
  expect(result.main.code).toBe('');
  expect(result.orphans.flat()).toEqual(Array(8).fill(result.main));
  expect(stderr).toBe('');
});
