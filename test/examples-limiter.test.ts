// The example library limiter: one token bucket for all threads, which no death leaves half changed.

import { attach } from 'coexist';
import { afterEach, expect, test } from 'vitest';
import type * as limiterModule from '../examples/limiter/index.js';
import { openLimiter, peekLimiter } from '../examples/limiter/index.js';
import { Actor } from './support/actor.js';
import { exampleUrl } from './support/examples.js';

const url = exampleUrl('limiter/index.js');
/** One token in 100 s: none comes back while a test runs. */
const SCARCE = { rate: 0.01, burst: 10 };

// The workers of a test are dead by its end.
afterEach(() => {
  attach().reclaim();
});

/** Takes tokens in a worker until there are none; how many that were. */
const drain = (actor: Actor, name: string, rate: number, burst: number): Promise<number> =>
  actor.run(
    async ({ load, state }, args) => {
      const { openLimiter } = await load<typeof limiterModule>(args.url);
      state['limiter'] ??= openLimiter(args.name, args);
      const limiter = state['limiter'] as limiterModule.Limiter;
      let taken = 0;
      while (limiter.tryTake()) taken++;
      return taken;
    },
    { url, name, rate, burst },
  );

test('a full bucket is shared by all threads, however many drain it at once', async () => {
  const burst = 1000;
  const limiter = openLimiter('shared', { ...SCARCE, burst });
  const actors = await Promise.all([Actor.start(), Actor.start(), Actor.start()]);
  const counts = await Promise.all(actors.map((actor) => drain(actor, 'shared', SCARCE.rate, burst)));
  const status = limiter.status();
  const taken = counts.reduce((sum, n) => sum + n, 0);
  expect(taken).toBe(burst);
  expect(status.taken).toBe(BigInt(taken));
  expect(status.refused).toBe(BigInt(actors.length));
  expect(limiter.tryTake(100)).toBe(false);
  for (const actor of actors) await actor.terminate();
  limiter.release();
});

test('the first that comes makes the bucket; it outlives its maker, and goes with the last', async () => {
  const maker = await Actor.start();
  expect(peekLimiter('outlives')).toMatchObject({ phase: 'EMPTY', generation: 0, total: 0 });
  const taken = await drain(maker, 'outlives', SCARCE.rate, SCARCE.burst);
  const limiter = openLimiter('outlives', SCARCE);
  expect(limiter.created).toBe(false);
  expect(peekLimiter('outlives')).toMatchObject({ phase: 'LIVE', generation: 0, total: 2 });
  await maker.terminate();
  expect(limiter.status().taken).toBe(BigInt(taken));
  limiter.release();
  expect(peekLimiter('outlives')).toMatchObject({ phase: 'EMPTY', generation: 1, total: 0 });

  const next = openLimiter('outlives', SCARCE);
  expect(next.created).toBe(true);
  expect(next.status()).toMatchObject({ available: SCARCE.burst, taken: 0n });
  next.release();
});

test('who takes more than there is waits for its turn, or is refused at once where that is too far ahead', async () => {
  const limiter = openLimiter('turns', { rate: 100, burst: 2 });
  expect([limiter.tryTake(2), limiter.tryTake()]).toEqual([true, false]);
  // Turns are 10 ms apart, and given in order.
  const before = limiter.status().taken;
  expect(limiter.take()).toBe(true);
  expect(await limiter.takeAsync({ tokens: 2 })).toBe(true);
  expect(limiter.status().taken - before).toBe(3n);
  expect(limiter.status().available).toBeLessThanOrEqual(2);
  limiter.release();

  const scarce = openLimiter('scarce', SCARCE);
  expect(scarce.take({ tokens: 10 })).toBe(true);
  expect(scarce.take({ timeout: 100 })).toBe(false);
  expect(await scarce.takeAsync({ timeout: 100 })).toBe(false);
  expect(scarce.status()).toMatchObject({ taken: 10n, refused: 2n });
  scarce.release();
});

test('a wait that is aborted has spent its token', async () => {
  const limiter = openLimiter('aborted', SCARCE);
  expect(limiter.take({ tokens: 10 })).toBe(true);
  const waiting = limiter.takeAsync({ signal: AbortSignal.timeout(5) });
  await expect(waiting).rejects.toThrow('aborted');
  expect(limiter.status().taken).toBe(11n);
  await expect(limiter.takeAsync({ signal: AbortSignal.abort() })).rejects.toThrow();
  expect(limiter.status().taken).toBe(11n);
  limiter.release();
});

test('other numbers under the same name are refused, and so is a use after the release', () => {
  const limiter = openLimiter('numbers', SCARCE);
  expect(() => openLimiter('numbers', { rate: 2, burst: 10 })).toThrow('another rate or burst');
  expect(peekLimiter('numbers').total).toBe(1);
  for (const options of [
    { rate: 0, burst: 1 },
    { rate: Number.NaN, burst: 1 },
    { rate: 1, burst: 1.5 },
  ]) {
    expect(() => openLimiter('bad', options)).toThrow(RangeError);
  }
  for (const tokens of [0, 11, 1.5]) expect(() => limiter.tryTake(tokens)).toThrow(RangeError);
  limiter.release();
  limiter.release();
  expect(() => limiter.tryTake()).toThrow('released');
});
