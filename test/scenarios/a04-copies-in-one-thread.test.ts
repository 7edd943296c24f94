// A4, N copies in one thread: N registrations and N - 1 unregistrations leave the thread registered, the last one ends it, in
// any order. Restated: nothing to restate. Five instances of the whole library (a module URL with another query is another
// module), all 120 orders of ending, on wasm and on the twin, and mixed.

import { expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { modeEnv } from '../support/steps.js';

test.each(['wasm', 'twin', 'mixed'] as const)('5 copies, every order of ending, %s', async (mode) => {
  const actor = await Actor.start({ env: modeEnv(mode === 'twin' ? 'twin' : 'wasm') });
  const outcome = await actor.run(
    async ({ load }, { urls, mixed }) => {
      const copies: (typeof core)[] = [];
      for (const [k, url] of urls.entries()) {
        if (mixed) process.env['COEXIST_NO_WASM'] = k % 2 === 0 ? '1' : '';
        const copy = await load(url);
        copy.attach(); // What a copy runs on is settled here.
        copies.push(copy);
      }
      const [first] = copies as [typeof core];
      const row = () => first.attach().inspect().slots;
      const wrong: string[] = [];
      let orders = 0;

      const order = (chosen: number[]): void => {
        if (chosen.length < copies.length) {
          for (let k = 0; k < copies.length; k++) if (!chosen.includes(k)) order([...chosen, k]);
          return;
        }
        orders++;
        const handles = copies.map(({ register }) => register());
        if (new Set(handles.map(({ slot, generation }) => `${slot}/${generation}`)).size !== 1) wrong.push('two slots');
        for (const [step, k] of chosen.entries()) {
          handles[k]?.unregister();
          const left = copies.length - 1 - step;
          const rows = row();
          const sound = left === 0 ? rows.length === 0 : rows.length === 1 && rows[0]?.refcount === left;
          if (!sound) wrong.push(`${chosen.join()} step ${step}: ${JSON.stringify(rows)}`);
          const readable = handles.filter((handle) => handle.cpuId() >= 0).length;
          if (readable !== left) wrong.push(`${chosen.join()} step ${step}: ${readable} handles are live, not ${left}`);
        }
      };
      order([]);
      return { orders, wrong, distinct: new Set(copies).size };
    },
    {
      urls: Array.from({ length: 5 }, (_, k) => `${copyUrl(k < 3 ? 'a' : 'b', 'core.js')}?copy=${k}`),
      mixed: mode === 'mixed',
    },
  );
  expect(outcome).toEqual({ orders: 120, wrong: [], distinct: 5 });
  await actor.terminate();
});
