// A5, why there is a count at all: liba opens and registers; libb opens and finds the thread registered; libb closes; liba is
// still loaded and must still be registered; liba closes. Restated: the two libraries are two installed copies; opening is
// register(), closing is unregister(). test/two-libraries.test.ts walks through all interleavings.

import { attach } from 'coexist';
import { expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { rawSlot } from '../support/slot.js';
import { modeEnv, modes } from '../support/steps.js';

test.each(modes)('liba stays registered when libb closes, %s', async (mode) => {
  const area = attach();
  const actor = await Actor.start({ env: modeEnv(mode) });
  const seen = await actor.run(
    async ({ load }, { urlA, urlB }) => {
      const [liba, libb] = [await load(urlA), await load(urlB)];
      const row = () => {
        const [slot] = libb.attach().inspect().slots;
        return slot === undefined ? 'none' : `${slot.refcount} ${slot.holders.join('+')}`;
      };
      const a = liba.register({ name: 'liba' });
      const seen = [row()];
      const b = libb.register({ name: 'libb' });
      seen.push(row());
      b.unregister();
      seen.push(row(), String(a.cpuId() >= 0), String(b.cpuId()));
      a.unregister();
      seen.push(row(), String(a.cpuId()));
      return { seen, sameSlot: a.slot === b.slot, slot: a.slot };
    },
    { urlA: copyUrl('a'), urlB: copyUrl('b') },
  );
  expect(seen).toEqual({
    // holders is advice for people: it says who came since the claim, not who is left.
    seen: ['1 liba', '2 liba+libb', '1 liba+libb', 'true', '-1', 'none', '-1'],
    sameSlot: true,
    slot: seen.slot,
  });
  expect(rawSlot(area, seen.slot)).toMatchObject({ owner: 0n, refcount: 0, cpu_id: -1 });
  await actor.terminate();
});

test('opened in the other order, closed first come first served', async () => {
  const actor = await Actor.start();
  const seen = await actor.run(
    async ({ load }, { urlA, urlB }) => {
      const [liba, libb] = [await load(urlA), await load(urlB)];
      const counts: (number | undefined)[] = [];
      const count = () => counts.push(liba.attach().inspect().slots[0]?.refcount);
      const b = libb.register();
      count();
      const a = liba.register();
      count();
      b.unregister();
      count();
      const again = libb.register();
      count();
      a.unregister();
      count();
      again.unregister();
      count();
      return counts.map((value) => value ?? null);
    },
    { urlA: copyUrl('a'), urlB: copyUrl('b') },
  );
  expect(seen).toEqual([1, 2, 1, 2, 1, null]);
  await actor.terminate();
});
