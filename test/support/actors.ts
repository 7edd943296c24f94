// Threads that a test file starts, all of them ended after each test.

import { afterEach } from 'vitest';
import { Actor } from './actor.js';

const actors: Actor[] = [];

/** So many threads, at the same time. */
export async function startActors(count: number): Promise<Actor[]> {
  const started = await Promise.all(Array.from({ length: count }, () => Actor.start()));
  actors.push(...started);
  return started;
}

afterEach(async () => {
  await Promise.all(actors.splice(0).map((actor) => actor.terminate()));
});
