// Two libraries that know nothing of each other, each with its own installed copy: every interleaving of up to three
// registrations by each, and of their ends in any order, against a model that is a set. Every shorter history is the beginning
// of one of these, so all of them are walked through. On wasm, on the twin, and with one library on each.

import { expect, test } from 'vitest';
import type * as core from '../src/core.js';
import type { ActorContext } from '../workers/actor.js';
import { Actor } from './support/actor.js';
import { copyUrl } from './support/copies.js';

/** Registrations of each library. */
const EACH = 3;
/** 12! / 2^6 orders of six pairs with the start before the end, the three starts of a library being alike. */
const HISTORIES = 207_900;

interface Outcome {
  readonly histories: number;
  readonly wrong: string[];
}

async function walk(
  { load }: ActorContext,
  { urls, modes, each }: { urls: string[]; modes: string[]; each: number },
): Promise<Outcome> {
  const libraries: (typeof core)[] = [];
  for (const [k, url] of urls.entries()) {
    process.env['COEXIST_NO_WASM'] = modes[k] === 'twin' ? '1' : '';
    const library = await load(url);
    library.attach(); // What a copy runs on is settled here.
    libraries.push(library);
  }
  const area = libraries[0]!.attach();
  const i32 = new Int32Array(area.buffer);
  const { slotOffset } = area.geometry;
  // The slot of the only thread that registers: cpu_id, refcount, owner, generation, registered_total.
  const word = (offset: number): number => i32[(slotOffset + offset) >>> 2] as number;
  const wrong: string[] = [];
  let histories = 0;
  let generation = word(40);
  let total = word(56);

  /** A history is a string: A and B register, a digit ends the registration made so many registrations ago in all. */
  const replay = (history: string): void => {
    const handles: (core.Registration | undefined)[] = [];
    let live = 0;
    for (const event of history) {
      if (event === 'A' || event === 'B') {
        const handle = libraries[event === 'A' ? 0 : 1]!.register();
        handles.push(handle);
        total++;
        if (live++ === 0) generation++;
        if (handle.slot !== 0 || handle.generation !== generation) wrong.push(`${history}: another slot`);
      } else {
        const k = Number(event);
        handles[k]?.unregister();
        handles[k] = undefined;
        live--;
      }
      const registered = word(4) >= 0 && word(32) !== 0;
      const sound = registered === live > 0 && word(20) === live && word(40) === generation && word(56) === total;
      if (!sound) wrong.push(`${history} at ${event}: refcount ${word(20)}, cpu_id ${word(4)}, expected ${live}`);
    }
    histories++;
  };

  const extend = (history: string, made: [number, number], open: readonly number[]): void => {
    if (made[0] === each && made[1] === each && open.length === 0) replay(history);
    const next = made[0] + made[1];
    if (made[0] < each) extend(`${history}A`, [made[0] + 1, made[1]], [...open, next]);
    if (made[1] < each) extend(`${history}B`, [made[0], made[1] + 1], [...open, next]);
    for (const k of open)
      extend(
        `${history}${k}`,
        made,
        open.filter((other) => other !== k),
      );
  };
  extend('', [0, 0], []);
  return { histories, wrong: wrong.slice(0, 10) };
}

test.each([
  ['wasm', 'wasm'],
  ['twin', 'twin'],
  ['wasm', 'twin'],
])('all histories, one library on %s and one on %s', async (a, b) => {
  const actor = await Actor.start({ env: { ...process.env } });
  const urls = [copyUrl('a', 'core.js'), copyUrl('b', 'core.js')];
  expect(await actor.run(walk, { urls, modes: [a, b], each: EACH })).toEqual({ histories: HISTORIES, wrong: [] });
  await actor.terminate();
});
