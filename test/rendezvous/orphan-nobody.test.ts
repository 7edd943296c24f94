// An orphan worker whose main thread never attaches gets an error after its own bound, and ends by itself.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

const env = { COEXIST_NO_INSPECTOR: '1' };

test('attachAsync() gives up with the causes and the remedies', async () => {
  const { result, stderr } = await program(
    async ({ spawn }) => {
      const orphan = spawn(({ attachAsync }) => attachAsync('a', { timeout: 150 }));
      return { outcome: await orphan.result, exitCode: await orphan.exited };
    },
    { env },
  );
  expect(result.outcome).toMatchObject({ id: 0, code: 'COEXIST_ERENDEZVOUS' });
  expect(result.outcome.message).toContain('COEXIST_NO_INSPECTOR=1');
  expect(result.outcome.message).toContain('nor did the main thread attach within 150 ms');
  expect(result.outcome.message).toContain('node --import coexist/preload');
  expect(result.exitCode).toBe(0);
  expect(stderr).toBe('');
});

test('it can be called again, and then succeed', async () => {
  const { result } = await program(
    async ({ attach, spawn, until, word }) => {
      const gaveUp = word();
      const orphan = spawn(async ({ attachAsync }, gaveUp) => {
        const first = await attachAsync('a', { timeout: 0 });
        Atomics.store(gaveUp, 0, 1);
        return { first, second: await attachAsync('a') };
      }, gaveUp);
      await until(gaveUp);
      const main = await attach();
      return { main, orphan: await orphan.result };
    },
    { env },
  );
  expect(result.orphan.first.code).toBe('COEXIST_ERENDEZVOUS');
  expect(result.main.code).toBe('');
  expect(result.orphan.second).toEqual(result.main);
});

test.each([-1, Number.NaN, 2 ** 31])('a timeout of %s ms is refused', async (timeout) => {
  const { result } = await program(
    ({ spawn }, timeout) =>
      spawn(
        async ({ attach, attachAsync }, timeout) => [
          await attach('a', { timeout: Number(timeout) }),
          await attachAsync('a', { timeout: Number(timeout) }),
        ],
        timeout,
      ).result,
    { env, args: String(timeout) },
  );
  expect(result.map(({ code }) => code)).toEqual(['COEXIST_EINVAL', 'COEXIST_EINVAL']);
});
