// A17, register called inside register, and inside exit handlers: no corruption. Restated: there is no "ongoing" and no
// "exiting" state. The library calls nothing of the user's inside a transition, so what remains is: getters of the options,
// handlers of every kind (also a09-places), and inspector evaluations (a17-inspector-evaluation).

import { attach } from 'coexist';
import { describe, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { rawSlot, takenSlots } from '../support/slot.js';
import { modeEnv, modes, registerIn, unregisterIn, untilFree } from '../support/steps.js';

describe.each(modes)('%s', (mode) => {
  const env = modeEnv(mode);

  test("registering inside the getters of one's options counts both", async () => {
    const actor = await Actor.start({ env });
    const counts = await actor.run(
      async ({ load }, urls) => {
        const [a, b] = [await load(urls[0] as string), await load(urls[1] as string)];
        const inner: core.Registration[] = [];
        const outer = a.register({
          get name() {
            inner.push(b.register());
            return 'outer';
          },
          get permanent() {
            inner.push(b.register());
            return false;
          },
        });
        const rows = a.attach().inspect().slots;
        const counts = [rows.length, inner.length + 1 - (rows[0]?.refcount ?? 0), rows[0]?.slot === outer.slot];
        for (const handle of [...inner, outer]) handle.unregister();
        return [...counts, a.attach().inspect().slots.length];
      },
      [copyUrl('a'), copyUrl('b')],
    );
    expect(counts).toEqual([1, 0, true, 0]);
    await actor.terminate();
  });

  test('in exit handlers: the last unregister, and a first register that nobody ends', async () => {
    const area = attach();
    const actor = await Actor.start({ env });
    const { slot, generation } = await registerIn(actor, 'a');
    actor.post(async ({ load, state }, url) => {
      const { register } = await load(url);
      process.once('exit', () => {
        state.registrations[0]?.unregister();
        const late = register({ name: 'late' });
        register();
        if (late.cpuId() < 0) throw new Error('registered without an id');
      });
      process.exit(0);
    }, copyUrl('b'));
    expect(await actor.exited).toBe(0);
    await untilFree(area, slot);
    expect(rawSlot(area, slot).generation).toBe(generation + 1);
    expect(takenSlots(area)).toEqual([]);
  });

  test('in message handlers, while the sender waits', async () => {
    const actor = await Actor.start({ env });
    await registerIn(actor, 'ab');
    const counts = await actor.run(async ({ load, state }, url) => {
      const { attach, register } = await load(url);
      const { MessageChannel } = process.getBuiltinModule('node:worker_threads');
      const { port1, port2 } = new MessageChannel();
      const counts: unknown[] = [];
      await new Promise<void>((resolve) => {
        port1.on('message', (round: number) => {
          state.registrations.push(register());
          counts.push(attach().inspect().slots[0]?.refcount);
          if (round === 3) resolve();
          else port2.postMessage(round + 1);
        });
        port2.postMessage(1);
      });
      port1.close();
      return counts;
    }, copyUrl('a'));
    expect(counts).toEqual([3, 4, 5]);
    await unregisterIn(actor);
    await actor.terminate();
  });
});
