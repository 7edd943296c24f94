// A reference to a singleton that lives, taken and given back, against what that would take at the least if nobody ever died: a count
// up and a count down, in JavaScript's Atomics. This thread holds another reference meanwhile, as a library does that keeps one.

import { singleton as declare } from 'coexist/singleton';
import { interleave, row, type Topic, variable } from './kit.js';

const TURNS = 400_000;

async function live() {
  const declared = declare('bench/singleton', { bytes: 64, create: () => undefined });
  const kept = declared.acquire();
  const view = new Int32Array(new SharedArrayBuffer(4096));
  const place = variable(16);
  const times = await interleave({
    own: {
      ops: TURNS,
      loop: (times) => {
        let sum = 0;
        for (let k = 0; k < times; k++) {
          const reference = declared.get()!;
          sum += reference.generation;
          reference.release();
        }
        return sum;
      },
    },
    atomics: {
      ops: TURNS,
      loop: (times) => {
        let sum = 0;
        for (let k = 0; k < times; k++) {
          sum += Atomics.add(view, place.at, 1);
          sum += Atomics.sub(view, place.at, 1);
        }
        return sum;
      },
    },
  });
  kept.release();
  return [row('get() + release() of a live singleton against two JS atomics', times.own, times.atomics, { atMost: 1 })];
}

export const singleton: Topic = { live };
