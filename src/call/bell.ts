// The bell of a thread (docs/ABI.md, clause 61): the one word on which it sleeps while it waits for several things, blocking or in its
// event loop. What attends is polled whenever the bell has been rung; what serves is also called by whoever blocks in this thread.

import { BELL_ASLEEP, BELL_AWAKE, BELL_BYTES, BELL_KEY, SERVING_KEY } from '../abi/call.js';
import type { AreaCore } from '../area/core.js';
import { wasmAllowed } from '../area/create.js';
import { lookup } from '../area/directory.js';
import { ANCHOR_HIGH, ANCHOR_LOW, identityIn } from '../area/thread-anchor.js';
import { host } from '../host/host.js';
import { type CallSteps, callStepsOn } from '../wasm/call.js';

/** Looks between two of these: a microsecond or two. */
const SLICE = 4000;

/** Looks whether there is something to do, does it, and says whether there may be more. Never waits, throws nothing. */
export type Poll = () => boolean;

/** The bells of one area as this thread and copy sees them. */
export interface Bells {
  readonly core: AreaCore;
  readonly steps: CallSteps;
  /** This thread's identity. */
  readonly self: bigint;
  /** Byte offset of the bell of a slot. */
  of(slot: number): number;
  /** Wakes a thread, after what it is to see has been stored. */
  ring(slot: number): void;
  /** The same whatever its bell says: a ringer may have died between its two steps. */
  ringHard(slot: number): void;
  /**
   * Polls now, and whenever the bell of this thread, which holds this slot, is rung, from the event loop. `nested` is called whenever this
   * thread is about to block, too. Keeps nothing alive. Returns the way to stop.
   */
  attend(slot: number, poll: Poll, nested?: () => void): () => void;
}

const known = new WeakMap<AreaCore, Bells>();

/** @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_ETIMEDOUT, and as `attach()` */
export function bellsOf(core: AreaCore): Bells {
  let bells = known.get(core);
  if (bells === undefined) {
    bells = createBells(core);
    known.set(core, bells);
  }
  return bells;
}

function createBells(core: AreaCore): Bells {
  const { i32 } = core.views;
  const { blockOffset, blockStride } = core.geometry;
  const { offset } = lookup(core, { name: BELL_KEY, kind: 'key', version: 1, size: BELL_BYTES, flags: 0 });
  const first = blockOffset + offset;
  const of = (slot: number): number => first + slot * blockStride;
  const identity = { low: core.anchor[ANCHOR_LOW] as number, high: core.anchor[ANCHOR_HIGH] as number };
  const steps = callStepsOn(core.views, wasmAllowed(), identity, first, blockStride);
  const ringHard = (slot: number): void => {
    Atomics.compareExchange(i32, of(slot) >>> 2, BELL_ASLEEP, BELL_AWAKE);
    Atomics.notify(i32, of(slot) >>> 2);
  };
  const polls = new Set<Poll>();
  let index = 0;
  /** Whether a turn is due, or the loop sleeps on the bell. */
  let attending = false;

  function poll(): boolean {
    let more = false;
    for (const each of polls) more = each() || more;
    return more;
  }

  // Whatever throws here, the next turn comes.
  function pollSafely(): boolean {
    let more = true;
    try {
      more = poll();
    } catch (error) {
      host.soon(() => {
        throw error;
      });
    }
    return more;
  }

  function turn(): void {
    for (;;) {
      if (polls.size === 0) {
        attending = false;
        return;
      }
      // First the bell, then the look: what comes behind it rings.
      Atomics.store(i32, index, BELL_ASLEEP);
      if (pollSafely()) {
        host.soon(turn);
        return;
      }
      const outcome = Atomics.waitAsync(i32, index, BELL_ASLEEP);
      if (outcome.async) {
        outcome.value.then(turn);
        return;
      }
    }
  }

  return {
    core,
    steps,
    self: identityIn(core.anchor),
    of,
    ring: (slot) => steps.ring(of(slot)),
    ringHard,
    attend(slot, poll, nested) {
      polls.add(poll);
      const stopServing = nested && serveWhileBlocked(nested);
      index = of(slot) >>> 2;
      if (!attending) {
        attending = true;
        host.soon(turn);
      }
      return () => {
        if (!polls.delete(poll)) return;
        stopServing?.();
        // Nothing attends any more: ends the sleep, which nobody could end otherwise.
        if (polls.size === 0) ringHard(slot);
      };
    },
  };
}

/** What this thread serves while it blocks, whatever copy it belongs to. The first definer's array, for ever. */
let functions: (() => void)[] | undefined;

function serving(): (() => void)[] {
  if (functions === undefined) {
    const found = host.anchored(SERVING_KEY) ?? host.anchor(SERVING_KEY, []);
    functions = Array.isArray(found) ? found : [];
  }
  return functions;
}

function serveWhileBlocked(serve: () => void): () => void {
  const all = serving();
  all.push(serve);
  return () => {
    const at = all.indexOf(serve);
    if (at >= 0) all.splice(at, 1);
  };
}

/** Serves what has arrived at this thread's servers, of all copies. Whoever blocks calls it before each sleep. */
export function serveOthers(): void {
  const all = serving();
  // By index: what serves may end servers, or begin them.
  for (let k = all.length - 1; k >= 0; k--) all[k]?.();
}

/** Looks at a word until it is what is waited for, so many times; how many were left. */
export interface Looking {
  spin(at: number, value: number, times: number): number;
}

/** The same, but that what this thread serves is served every now and then; `own` is the server that looks, if one does. */
export function servingMeanwhile(looking: Looking, own?: { readonly nested: boolean; served(): number }): Looking {
  const itself = own?.nested === true ? 1 : 0;
  return {
    spin(at, value, times) {
      if (serving().length === itself) return looking.spin(at, value, times);
      for (let left = times; left > 0; left -= SLICE) {
        const slice = Math.min(left, SLICE);
        const rest = looking.spin(at, value, slice);
        if (rest > 0) return left - slice + rest;
        const before = own?.served();
        serveOthers();
        // What it looks for may have been served by the way.
        if (own?.served() !== before) return Math.max(1, left - slice);
      }
      return 0;
    },
  };
}
