// A10, a thread dies by return, process.exit, throw, unhandled rejection, terminate (idle, busy, blocked), out of memory, or
// with its parent: its slot is reclaimed, no id is stale, no count leaks, other threads' slots are as they were.
// Restated: "a lock held by the dead thread is detected" is shown on the one lock-like thing there is so far, a directory
// entry whose creator died while creating it (a10-unfinished-entry.test.ts).

import { attach } from 'coexist';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ActorContext } from '../../workers/actor.js';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { deaths, SMALL_HEAP } from '../support/deaths.js';
import { headerOf, rawSlot, takenSlots } from '../support/slot.js';
import { modeEnv, modes, registerIn, untilFree } from '../support/steps.js';

describe.each(modes)('%s', (mode) => {
  const env = modeEnv(mode);
  let bystander: Actor;
  let bystanderSlot: number;
  beforeAll(async () => {
    attach();
    bystander = await Actor.start({ env });
    ({ slot: bystanderSlot } = await registerIn(bystander, 'aab', 'bystander'));
  });
  afterAll(async () => {
    await bystander.terminate();
    await untilFree(attach(), bystanderSlot);
  });

  test.each(Object.keys(deaths))('%s', async (name) => {
    const area = attach();
    const before = rawSlot(area, bystanderSlot);
    const options = name === 'out of memory' ? { env, resourceLimits: SMALL_HEAP } : { env };
    const victim = await Actor.start(options);
    const { slot, generation, row } = await registerIn(victim, 'abab', 'victim');
    expect(row).toMatchObject({ refcount: 4, threadId: victim.worker.threadId });
    const { registered_total } = rawSlot(area, slot);
    const highWater = headerOf(area, 'slot_high_water');

    await deaths[name]?.(victim);
    await untilFree(area, slot);
    expect(area.inspect().slots.map((live) => live.slot)).toEqual([bystanderSlot]);
    expect(rawSlot(area, bystanderSlot)).toEqual(before);
    expect(headerOf(area, 'slot_high_water')).toBe(highWater);

    // The next owner starts afresh: neither count nor names nor generation of the dead one.
    const heir = await Actor.start({ env });
    expect(await registerIn(heir, 'b')).toMatchObject({
      slot,
      generation: generation + 1,
      row: { refcount: 1, holders: [], threadId: heir.worker.threadId, registeredTotal: registered_total + 1 },
    });
    await heir.terminate();
    await untilFree(area, slot);
  });

  test.each(['terminate', 'process.exit', 'out of memory'])('a nested worker whose parent dies by %s', async (way) => {
    const area = attach();
    const before = rawSlot(area, bystanderSlot);
    const parent = await Actor.start(way === 'out of memory' ? { env, resourceLimits: SMALL_HEAP } : { env });
    const own = await registerIn(parent, 'ab', 'parent');
    // The nested worker is busy for ever as soon as it has answered.
    const nested = await parent.run(
      async ({ nest, state }, urls) => {
        const child = await nest();
        state['child'] = child;
        const register = async ({ load, state }: ActorContext, urls: string[]): Promise<number | undefined> => {
          for (const url of urls) state.registrations.push((await load(url)).register());
          setImmediate(() => {
            for (;;);
          });
          return state.registrations[0]?.slot;
        };
        return (await child.step(String(register), urls)) as number;
      },
      [copyUrl('a'), copyUrl('b')],
    );
    expect(rawSlot(area, nested)).toMatchObject({ refcount: 2 });
    expect(takenSlots(area).sort()).toEqual([bystanderSlot, own.slot, nested].sort());

    const death = { terminate: 'terminate, idle' }[way] ?? way;
    await deaths[death]?.(parent);
    await untilFree(area, own.slot, nested);
    expect(takenSlots(area)).toEqual([bystanderSlot]);
    expect(rawSlot(area, bystanderSlot)).toEqual(before);
  });
});
