// Once when it is done already: its flag against a plain load, and against the atomic load that it stands for.

import { Once } from 'coexist/sync';
import { interleave, row, type Topic } from './kit.js';

const LOOKS = 2_000_000;
/**
 * Looked at in turn, in both variants: the compiler sees that the flag of a single one does not change, and looks once for the
 * whole loop.
 */
const MANY = 8;

interface Place {
  readonly at: number;
}

async function done() {
  const onces = Array.from({ length: MANY }, (_, k) => new Once(`bench/once-${k}`));
  const initialise = (): void => undefined;
  for (const once of onces) once.call(initialise);
  const view = new Int32Array(new SharedArrayBuffer(4096)).fill(1);
  const places: Place[] = onces.map((_, k) => ({ at: 16 * k }));
  const times = await interleave({
    plain: {
      ops: LOOKS,
      loop: (times) => {
        let sum = 0;
        for (let k = 0; k < times; k++) if (view[places[k % MANY]!.at] === 1) sum++;
        return sum;
      },
    },
    atomic: {
      ops: LOOKS,
      loop: (times) => {
        let sum = 0;
        for (let k = 0; k < times; k++) if (Atomics.load(view, places[k % MANY]!.at) === 1) sum++;
        return sum;
      },
    },
    isCompleted: {
      ops: LOOKS,
      loop: (times) => {
        let sum = 0;
        for (let k = 0; k < times; k++) if (onces[k % MANY]!.isCompleted()) sum++;
        return sum;
      },
    },
    call: {
      ops: LOOKS,
      loop: (times) => {
        let sum = 0;
        for (let k = 0; k < times; k++) if (!onces[k % MANY]!.call(initialise)) sum++;
        return sum;
      },
    },
  });
  return [
    row('Once isCompleted(), done, against a plain load', times.isCompleted, times.plain, { atMost: 1.5 }),
    row('Once call(), done, against a plain load', times.call, times.plain, { atMost: 1.5 }),
    row('Atomics.load against Once call(), done', times.atomic, times.call, { atLeast: 2 }),
  ];
}

export const once: Topic = { done };
