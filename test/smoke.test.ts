import { attach } from 'coexist';
import { expect, test } from 'vitest';
import { Actor } from './support/actor.js';
import { copyUrl } from './support/copies.js';

test('bridge', async () => {
  const actor = await Actor.start();
  const id = await actor.run(async ({ load }, url) => (await load(url)).attach().id, copyUrl('a'));
  expect(attach().id).toBe(id);
  await actor.terminate();
});
