// COEXIST_NO_INSPECTOR=1 switches the bridge off; an orphan worker then gets an error that says why, and what to do.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test('an orphan worker is refused, with the cause and the remedies', async () => {
  const { result, stderr } = await program(
    async ({ spawn, threads }) => {
      const orphan = spawn(async ({ attach, load, urls }) => {
        const { probe } = await load(urls.a);
        return { probe: probe(), outcome: await attach() };
      });
      const answer = await orphan.result;
      const key = 'coexist.area.v1';
      const inMain = [threads.getEnvironmentData(key), Reflect.get(threads, Symbol.for(key))];
      return { ...answer, leftInMain: inMain.filter((value) => value !== undefined).length };
    },
    { env: { COEXIST_NO_INSPECTOR: '1' } },
  );
  const { outcome, probe } = result;
  expect(outcome).toMatchObject({ id: 0, code: 'COEXIST_ERENDEZVOUS' });
  expect(outcome.message).toContain('COEXIST_NO_INSPECTOR=1');
  expect(outcome.message).toContain('attach() in the main thread before starting workers');
  expect(outcome.message).toContain('node --import coexist/preload');
  expect(outcome.message).toContain('attachAsync()');
  expect(probe).toMatchObject({ attached: false, via: 'announcement', synchronous: false });
  expect(probe.reasons.join()).toContain('COEXIST_NO_INSPECTOR=1');
  expect(result.leftInMain).toBe(0);
  expect(stderr).toBe('');
});

test('it is the environment of the worker that counts', async () => {
  const { result } = await program(({ spawn }) => {
    const env = { ...process.env, COEXIST_NO_INSPECTOR: '1' };
    return Promise.all([
      spawn(({ attach }) => attach(), undefined, { env }).result,
      spawn(({ attach }) => attach()).result,
    ]);
  });
  expect(result.map(({ code }) => code)).toEqual(['COEXIST_ERENDEZVOUS', '']);
});

test('workers that inherit the area need no bridge', async () => {
  const { result } = await program(
    async ({ attach, spawn }) => ({ main: await attach(), worker: await spawn(({ attach }) => attach('b')).result }),
    { env: { COEXIST_NO_INSPECTOR: '1' } },
  );
  expect(result.main.code).toBe('');
  expect(result.worker).toEqual(result.main);
});
