// A7, a permanent owner is there (cpu_id >= 0, refcount 0): registering and unregistering succeed, count nothing, and never
// end its registration; a caller that must own the thread gets EBUSY. Restated: the caller that must own asks for
// { permanent: true }, and is refused only while transient registrations count. test/permanent.test.ts has the details.

import { attach } from 'coexist';
import { expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { rawSlot } from '../support/slot.js';
import { modeEnv, modes, registerIn, untilFree } from '../support/steps.js';

test.each(modes)('a permanent owner outlasts every other copy, and ends with its thread, %s', async (mode) => {
  const area = attach();
  const actor = await Actor.start({ env: modeEnv(mode) });
  const urls = { urlA: copyUrl('a'), urlB: copyUrl('b') };
  const seen = await actor.run(async ({ load }, { urlA, urlB }) => {
    const [owner, other] = [await load(urlA), await load(urlB)];
    const held = owner.register({ permanent: true, name: 'owner' });
    const handles = [other.register({ name: 'other' }), other.register(), owner.register()];
    const counted = other.attach().inspect().slots[0]?.refcount;
    for (const handle of handles) {
      handle.unregister();
      handle.unregister();
    }
    const row = other.attach().inspect().slots[0];
    return {
      slot: held.slot,
      counted,
      refcount: row?.refcount,
      holders: row?.holders,
      permanent: handles.map((handle) => handle.permanent),
      readable: [held, ...handles].every((handle) => handle.cpuId() >= 0),
    };
  }, urls);
  expect(seen).toEqual({
    slot: seen.slot,
    counted: 0,
    refcount: 0,
    holders: ['owner', 'other'],
    permanent: [true, true, true],
    readable: true,
  });
  expect(rawSlot(area, seen.slot).refcount).toBe(0);
  expect(rawSlot(area, seen.slot).cpu_id).toBeGreaterThanOrEqual(0);

  await actor.terminate();
  await untilFree(area, seen.slot);
  const next = await Actor.start({ env: modeEnv(mode) });
  expect(await registerIn(next, 'b')).toMatchObject({ slot: seen.slot, row: { refcount: 1, holders: [] } });
  await next.terminate();
  await untilFree(area, seen.slot);
});

test.each(modes)('who must own is told EBUSY while others count, %s', async (mode) => {
  const actor = await Actor.start({ env: modeEnv(mode) });
  await registerIn(actor, 'ab');
  const attempt = actor.run(async ({ load }, url) => {
    (await load(url)).register({ permanent: true });
  }, copyUrl('b'));
  await expect(attempt).rejects.toMatchObject({ code: 'COEXIST_EBUSY' });
  await actor.terminate();
});
