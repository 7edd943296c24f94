// Counters across threads and deaths: cells stay where they are, so the sum over all slots is exact however threads end and
// slots change hands (docs/ABI.md, clause 39).

import { attach } from 'coexist';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { Actor } from './support/actor.js';
import { copyUrl } from './support/copies.js';
import { deaths, SMALL_HEAP } from './support/deaths.js';
import { headerOf, takenSlots } from './support/slot.js';
import { modeEnv, modes, startActors, terminateAll, untilFree } from './support/steps.js';

const ADDS = 10_000;

describe.each(modes)('%s', (mode) => {
  test('threads that die one after the other in the same slots: nothing is lost, nothing counted twice', async () => {
    const area = attach();
    const counter = new Counter(`deaths/${mode}`);
    counter.add(7);
    let expected = 7n;
    for (const [k, [name, die]] of Object.entries(deaths).entries()) {
      const options = name === 'out of memory' ? { resourceLimits: SMALL_HEAP } : {};
      const actor = await Actor.start({ env: modeEnv(mode), ...options });
      const slot = await actor.run(
        async ({ load, state }, { url, name, adds }) => {
          const { Counter, attach, register } = await load(url);
          const counter = new Counter(name);
          state['counter'] = counter;
          for (let n = 0; n < adds; n++) counter.add(n % 2 === 0 ? 1 : 2);
          const { slot } = register();
          return attach().id === 0 ? -1 : slot;
        },
        { url: copyUrl(k % 2 === 0 ? 'a' : 'b', 'core.js'), name: `deaths/${mode}`, adds: ADDS },
      );
      expected += BigInt(ADDS * 1.5);
      expect(counter.sum()).toBe(expected);
      await die(actor);
      expect(counter.sum(), name).toBe(expected);
      await untilFree(area, slot);
      expect(counter.sum(), `${name}, reclaimed`).toBe(expected);
    }
    // All of them in one slot beside this thread's.
    expect(headerOf(area, 'slot_high_water')).toBe(2);
    expect(counter.own()).toBe(7n);
    counter.dispose();
    expect(counter.sum()).toBe(expected);
  });
});

test('threads that count at once, some of them killed while they do: at most what they said, at least what they confirmed', async () => {
  const area = attach();
  const counter = new Counter('deaths/killed');
  const actors = await startActors(4);
  // Each confirms behind each addition, in a cell of its own.
  const confirmed = new Int32Array(new SharedArrayBuffer(4 * 64));
  for (const [k, actor] of actors.entries()) {
    actor.post(
      async ({ load, state }, { url, confirmed, k }) => {
        const { Counter } = await load(url);
        const counter = new Counter('deaths/killed');
        state['counter'] = counter;
        for (;;) {
          counter.add(1);
          Atomics.add(confirmed, k * 16, 1);
        }
      },
      { url: copyUrl('a', 'core.js'), confirmed, k },
    );
  }
  const reached = (least: number): boolean => actors.every((_, k) => Atomics.load(confirmed, k * 16) >= least);
  while (!reached(1000)) await new Promise((resolve) => setTimeout(resolve, 5));
  await terminateAll(actors);
  const said = actors.reduce((sum, _, k) => sum + Atomics.load(confirmed, k * 16), 0);
  const sum = Number(counter.sum());
  expect(sum).toBeGreaterThanOrEqual(said);
  expect(sum).toBeLessThanOrEqual(said + actors.length);
  await untilFree(area, ...takenSlots(area).filter((slot) => slot !== 0));
  expect(Number(counter.sum())).toBe(sum);
  counter.dispose();
});

test("any thread reads every thread's block, live and dead", async () => {
  const area = attach();
  const shared = new PerThread('deaths/blocks', { type: 'f64', length: 3 });
  shared.own.set([0, shared.slot, 0.5]);
  const actors = await startActors(3);
  const slots = await Promise.all(
    actors.map((actor, k) =>
      actor.run(
        async ({ load, state }, { url, k }) => {
          const { PerThread } = await load(url);
          const accessor = new PerThread('deaths/blocks', { type: 'f64', length: 3 });
          state['accessor'] = accessor;
          accessor.own.set([k + 1, accessor.slot, 0.5]);
          return accessor.slot;
        },
        { url: copyUrl('b', 'core.js'), k },
      ),
    ),
  );
  // Blocks that nobody wrote to are among them, and zero.
  const content = () =>
    [...shared.blocks()]
      .filter(({ view }) => view[2] !== 0)
      .map(({ slot, view }) => [view[0], view[1] === slot, view[2]]);
  const expected = [shared.slot, ...slots].map((slot, k) => ({ slot, k })).sort((a, b) => a.slot - b.slot);
  expect(content()).toEqual(expected.map(({ k }) => [k, true, 0.5]));
  await terminateAll(actors);
  await untilFree(area, ...slots);
  expect(content()).toEqual(expected.map(({ k }) => [k, true, 0.5]));
  shared.dispose();
});
