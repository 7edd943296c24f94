// Gauges across threads: each sets its own number, any reads all, and a thread's number goes with it, however it ends
// (docs/ABI.md, clause 59).

import { attach } from 'coexist';
import { Gauge } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { Actor, until } from './support/actor.js';
import { copyUrl } from './support/copies.js';
import { deaths, SMALL_HEAP } from './support/deaths.js';
import { modeEnv, modes, startActors, terminateAll } from './support/steps.js';

/** Sets the actor's number; returns its slot. */
const setIn = (actor: Actor, name: string, value: number, copy: 'a' | 'b' = 'a'): Promise<number> =>
  actor.run(
    async ({ load, state }, { url, name, value }) => {
      const { Gauge } = await load(url);
      const gauge = new Gauge(name, { holder: 'queue' });
      state['gauge'] = gauge;
      gauge.set(value);
      return gauge.values().find((row) => row.threadId === process.getBuiltinModule('node:worker_threads').threadId)
        ?.slot as number;
    },
    { url: copyUrl(copy, 'core.js'), name, value },
  );

const numbers = (gauge: Gauge): number[] => gauge.values().map(({ value }) => value);

test('numbers of several threads, and of those that are left', async () => {
  const gauge = new Gauge('left', { holder: 'queue' });
  gauge.set(0.5);
  gauge.add(-2);
  const actors = await startActors(3);
  for (const [k, actor] of actors.entries()) await setIn(actor, 'left', 10 ** k, k === 1 ? 'b' : 'a');
  expect(numbers(gauge).sort((a, b) => a - b)).toEqual([-1.5, 1, 10, 100]);
  expect([gauge.sum(), gauge.min(), gauge.max(), gauge.own()]).toEqual([109.5, -1.5, 100, -1.5]);
  const ids = gauge.values().map(({ threadId }) => threadId);
  expect(ids.sort((a, b) => a - b)).toEqual([0, ...actors.map(({ worker }) => worker.threadId)]);
  expect(
    attach()
      .inspect()
      .slots.map(({ holders }) => holders),
  ).toEqual(Array(4).fill(['queue']));

  await terminateAll([actors[2] as Actor]);
  await until('the dead thread’s number is gone', () => gauge.values().length === 3);
  expect([gauge.sum(), gauge.max()]).toEqual([9.5, 10]);
  await terminateAll(actors);
  await until('all dead threads’ numbers are gone', () => gauge.values().length === 1);
  expect(gauge.sum()).toBe(-1.5);
  gauge.dispose();
  expect(gauge.values()).toEqual([]);
  attach().reclaim();
});

describe.each(modes)('%s', (mode) => {
  test.each(Object.keys(deaths))(
    '%s: the number goes with the thread, and the next owner of the slot starts at zero',
    async (name) => {
      const area = attach();
      const gauge = new Gauge(`deaths/${mode}`);
      gauge.set(1);
      const options = name === 'out of memory' ? { resourceLimits: SMALL_HEAP } : {};
      const actor = await Actor.start({ env: modeEnv(mode), ...options });
      const slot = await setIn(actor, `deaths/${mode}`, 41);
      expect(numbers(gauge)).toEqual([1, 41]);
      await deaths[name]?.(actor);
      await until('the number is gone', () => gauge.values().length === 1);
      expect(gauge.sum()).toBe(1);

      const next = await Actor.start({ env: modeEnv(mode) });
      await until('the slot is free', () => {
        area.reclaim();
        return area.inspect().slots.every((row) => row.slot !== slot);
      });
      expect(await setIn(next, `deaths/${mode}`, 0)).toBe(slot);
      expect(numbers(gauge)).toEqual([1, 0]);
      await next.terminate();
      await until('the number is gone', () => gauge.values().length === 1);
      gauge.dispose();
      area.reclaim();
    },
  );
});
