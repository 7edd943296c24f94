// A6, the count's bounds: EOVERFLOW at 0xFFFFFFFF, underflow refused, a failed last unregister leaves 1, a failed first
// register leaves 0, a thread that the host refuses (-2) stays refused. Restated: unregister cannot fail half-way here, so
// "leaves 1" becomes: a refused unregister leaves every byte. -2 comes from another implementation, written by hand.

import '../support/slot-index.js';
import { attach } from 'coexist';
import { expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { rawSlot, SLOT, scribble, stateOf } from '../support/slot.js';
import { modeEnv, modes, registerIn, unregisterIn, untilFree } from '../support/steps.js';

test.each(modes)('overflow is refused and changes nothing, %s', async (mode) => {
  const area = attach();
  const actor = await Actor.start({ env: modeEnv(mode) });
  const { slot } = await registerIn(actor, 'a');
  scribble(area, slot, SLOT.refcount, 0xfffffffe);
  await registerIn(actor, 'b');
  expect(rawSlot(area, slot).refcount).toBe(0xffffffff);
  const before = stateOf(area);
  for (const copy of ['a', 'b']) {
    await expect(registerIn(actor, copy)).rejects.toMatchObject({ code: 'COEXIST_EOVERFLOW' });
  }
  expect(stateOf(area)).toBe(before);
  await unregisterIn(actor);
  expect(rawSlot(area, slot)).toMatchObject({ refcount: 0xfffffffd, cpu_id: slot });
  await actor.terminate();
  await untilFree(area, slot);
});

test.each(modes)('a handle cannot count below its own registration, %s', async (mode) => {
  const actor = await Actor.start({ env: modeEnv(mode) });
  const outcome = await actor.run(
    async ({ load }, { urlA, urlB }) => {
      const [a, b] = [await load(urlA), await load(urlB)];
      const count = () => a.attach().inspect().slots[0]?.refcount ?? null;
      const codes: unknown[] = [];
      const attempt = (act: () => void) => {
        try {
          act();
          codes.push('done');
        } catch (error) {
          codes.push((error as { code?: string }).code);
        }
        codes.push(count());
      };
      const [first, second] = [a.register(), b.register()];
      attempt(() => first.unregister());
      attempt(() => first.unregister());
      attempt(() => first.unregister());
      attempt(() => second.unregister());
      attempt(() => second.unregister());
      // The slot has another generation now: the handles of the last one must not touch it.
      const third = a.register();
      attempt(() => second.unregister());
      attempt(() => third.unregister());
      return codes;
    },
    { urlA: copyUrl('a'), urlB: copyUrl('b') },
  );
  const refused = 'COEXIST_EUNREGISTERED';
  expect(outcome).toEqual(['done', 1, refused, 1, refused, 1, 'done', null, refused, null, refused, 1, 'done', null]);
  await actor.terminate();
});

test.each(modes)('-2 is sticky for every copy until the thread ends, %s', async (mode) => {
  const area = attach();
  const actor = await Actor.start({ env: modeEnv(mode) });
  const { slot, generation } = await registerIn(actor, 'a');
  scribble(area, slot, SLOT.cpu_id, -2);
  const before = stateOf(area);
  for (const copy of ['a', 'b', 'a']) {
    await expect(registerIn(actor, copy)).rejects.toMatchObject({ code: 'COEXIST_EFAILED' });
  }
  await expect(unregisterIn(actor)).rejects.toMatchObject({ code: 'COEXIST_EUNREGISTERED' });
  expect(stateOf(area)).toBe(before);
  expect(area.inspect().slots).toEqual([]);

  await actor.terminate();
  await untilFree(area, slot);
  const next = await Actor.start({ env: modeEnv(mode) });
  expect(await registerIn(next, 'b')).toMatchObject({ slot, generation: generation + 1, cpuId: slot });
  await unregisterIn(next);
  await next.terminate();
});
