// Several workers come through the bridge at the same time, each with its own session.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test('siblings that race through the bridge find one area', async () => {
  const { result, stderr } = await program(async ({ attach, sleep, spawn, word }) => {
    const [loaded, go] = [word(), word()];
    const siblings = Array.from({ length: 4 }, (_, i) =>
      spawn(
        async ({ attach, blockUntil, load, urls }, { loaded, go, copy }) => {
          await load(urls[copy]);
          Atomics.add(loaded, 0, 1);
          blockUntil(go);
          return attach(copy);
        },
        { loaded, go, copy: i % 2 === 0 ? ('a' as const) : ('b' as const) },
      ),
    );
    for (let tries = 0; Atomics.load(loaded, 0) < siblings.length && tries < 20_000; tries++) await sleep(1);
    Atomics.store(go, 0, 1);
    Atomics.notify(go, 0);
    const outcomes = await Promise.all(siblings.map(({ result }) => result));
    return { outcomes, main: await attach() };
  });
  expect(result.main.code).toBe('');
  expect(result.outcomes).toEqual(Array(4).fill(result.main));
  expect(stderr).toBe('');
});
