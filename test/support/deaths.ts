// The ways a worker dies, as steps for an actor: by its own will, by an error, by its parent, by running out of memory. Only
// the first four run any handler of the victim.

import type { ActorContext } from '../../workers/actor.js';
import type { Actor } from './actor.js';

/** Smallest heap in which an actor starts, in MiB. */
export const SMALL_HEAP = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 } as const;

const endNaturally = (): void => process.getBuiltinModule('node:worker_threads').parentPort?.unref();
const throwSoon = (): void => {
  setImmediate(() => {
    throw new Error('expected');
  });
};
const rejectSoon = (): void => {
  setImmediate(() => void Promise.reject(new Error('expected')));
};
const exit = (_: ActorContext, code: number): void => process.exit(code);
const spin = (): never => {
  for (;;);
};
const block = (): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};
// Small objects: with arrays of a thousand, Node 24 and later collect garbage for ever instead of giving up.
const hoard = (): void => {
  let list: unknown = null;
  for (;;) list = { list, kept: [1, 2, 3] };
};

/** Each ends the actor and resolves once it has exited. */
export const deaths: Readonly<Record<string, (actor: Actor) => Promise<unknown>>> = {
  'natural end': (actor) => {
    actor.post(endNaturally);
    return actor.exited;
  },
  'process.exit': (actor) => {
    actor.post(exit, 3);
    return actor.exited;
  },
  throw: (actor) => {
    actor.post(throwSoon);
    return actor.exited;
  },
  'unhandled rejection': (actor) => {
    actor.post(rejectSoon);
    return actor.exited;
  },
  'terminate, idle': (actor) => actor.terminate(),
  'terminate, busy': (actor) => {
    actor.post(spin);
    return settled().then(() => actor.terminate());
  },
  'terminate, in Atomics.wait': (actor) => {
    actor.post(block);
    return settled().then(() => actor.terminate());
  },
  'out of memory': (actor) => {
    actor.post(hoard);
    return actor.exited;
  },
};

// Long enough for a posted step to have begun; a death is just as good if it has not.
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));
