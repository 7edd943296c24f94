// The story that began it: the main thread makes an object, background threads use it, the main thread shuts down while they do, and late
// questions come after the end. Each background thread holds a reference of its own; so nobody ever finds the memory freed, and who
// comes late is told that there is none. A canary in the memory tells: it is the generation's, and -1 once that is finalized.

import { singleton } from 'coexist/singleton';
import { afterEach, describe, expect, test } from 'vitest';
import type { ActorContext } from '../../workers/actor.js';
import { type Actor, until } from '../support/actor.js';
import { BACKENDS, memoryOf, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { areaFor } from '../support/singletons.js';
import { identityOf, livesInProc } from '../support/threads.js';

const KEY = 'migration';
/** With those below, 10^5 in all on both backends together. */
const ROUNDS = 49_950;
/** In each of these, a background thread is killed while it uses the object. */
const KILLS = 50;

// Words of the ledger that all threads write: what went wrong, and what was seen.
const CONSTRUCTED = 0;
const FINALIZED = 1;
const USED = 2;
const LATE = 3;
const WRONG = 4;
const STOP = 5;

const actors: Actor[] = [];
afterEach(async () => {
  await Promise.all(actors.splice(0).map((actor) => actor.terminate()));
});

interface Given {
  readonly url: string;
  readonly memory: unknown;
  readonly key: string;
  readonly ledger: Int32Array;
  readonly loan?: import('coexist/singleton').Loan;
}

/** Declares the object in a background thread. */
async function declare({ load, state }: ActorContext, { url, memory, key, ledger, loan }: Given): Promise<void> {
  const lib = await load(url);
  const it = lib.singleton(key, {
    bytes: 64,
    area: lib.openArea(memory as never),
    // Background threads never make one.
    finalize({ i32 }) {
      i32.fill(-1);
      Atomics.add(ledger, 1, 1);
    },
  });
  state['it'] = it;
  state['ledger'] = ledger;
  if (loan !== undefined) state['held'] = it.adopt(loan);
}

/** Uses the object whenever there is one, until told to stop, or killed. */
function use({ state }: ActorContext): void {
  const it = state['it'] as import('coexist/singleton').MemorySingleton;
  const ledger = state['ledger'] as Int32Array;
  while (Atomics.load(ledger, 5) === 0) {
    const reference = it.get();
    if (reference === undefined) {
      // A status query behind the end: the default, and no object is made or held by it.
      const { total, generation } = it.peek();
      Atomics.add(ledger, 3, 1);
      if (total < 0 || generation < 0) Atomics.add(ledger, 4, 1);
      continue;
    }
    const { i32 } = reference.memory;
    for (let n = 0; n < 10; n++) if (Atomics.load(i32, 0) !== reference.generation + 1) Atomics.add(ledger, 4, 1);
    Atomics.add(ledger, 2, 1);
    reference.release();
  }
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe.each(BACKENDS)('%s', (backend) => {
  function story() {
    const area = areaFor(backend, 16);
    const ledger = new Int32Array(new SharedArrayBuffer(64));
    const it = singleton(KEY, {
      bytes: 64,
      area,
      create({ i32 }) {
        i32.fill(it.peek().generation + 1);
        Atomics.add(ledger, CONSTRUCTED, 1);
      },
      finalize({ i32 }) {
        i32.fill(-1);
        Atomics.add(ledger, FINALIZED, 1);
      },
    });
    const given = (k: number): Given => ({
      url: copyUrl(k % 2 === 0 ? 'a' : 'b', 'core.js'),
      memory: memoryOf(area),
      key: KEY,
      ledger,
    });
    return { area, ledger, it, given };
  }

  test(`${ROUNDS} lives of it, with two threads that use it as long as there is one`, async () => {
    const { ledger, it, given } = story();
    const threads = [await startActor(backend), await startActor(backend)];
    actors.push(...threads);
    await Promise.all(threads.map((actor, k) => actor.run(declare, given(k))));
    const running = threads.map((actor) => actor.run(use));
    let late = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const reference = it.acquire({ timeout: 20_000 });
      const { i32 } = reference.memory;
      if (Atomics.load(i32, 0) !== reference.generation + 1) Atomics.add(ledger, WRONG, 1);
      if (round % 64 === 0) {
        const loan = reference.lend();
        it.adopt(loan).release();
      }
      reference.release();
      const after = it.get();
      if (after === undefined) late++;
      else after.release();
    }
    Atomics.store(ledger, STOP, 1);
    await Promise.all(running);
    expect(it.peek()).toMatchObject({ phase: 'EMPTY', total: 0, references: [], generation: ledger[CONSTRUCTED] });
    expect(ledger[WRONG], 'uses of what was finalized, or of another generation').toBe(0);
    expect(ledger[FINALIZED]).toBe(ledger[CONSTRUCTED]);
    for (const times of [late, ledger[LATE], ledger[USED], ledger[CONSTRUCTED]]) expect(times).toBeGreaterThan(0);
  });

  test(`${KILLS} lives of it, in each of which a thread is killed that uses it`, async () => {
    const seed = (Math.random() * 2 ** 32) >>> 0;
    console.log(`migration, ${backend}: seed ${seed}`);
    const chance = random(seed);
    const { ledger, it, given } = story();
    let next = startActor(backend);
    for (let round = 0; round < KILLS; round++) {
      const actor = await next;
      actors.push(actor);
      if (round + 1 < KILLS) next = startActor(backend);
      const reference = it.acquire({ timeout: 20_000 });
      expect([reference.created, reference.generation]).toEqual([true, round]);
      const handedOver = chance() < 0.5;
      await actor.run(declare, { ...given(round), ...(handedOver && { loan: reference.lend() }) });
      const identity = await identityOf(actor);
      actor.post(use);
      const pause = Math.floor(chance() * 3);
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      // Shutdown first, or the death.
      const first = chance() < 0.5;
      if (first) reference.release();
      await actor.terminate();
      await until('the thread is gone', () => !livesInProc(identity));
      if (!first) reference.release();
      it.reclaim();
      expect(it.peek(), `round ${round} of seed ${seed}`).toMatchObject({
        phase: 'EMPTY',
        generation: round + 1,
        total: 0,
        references: [],
      });
      expect(it.get()).toBeUndefined();
    }
    expect(ledger[WRONG]).toBe(0);
    expect(ledger[CONSTRUCTED]).toBe(KILLS);
    // A thread that dies in the finalizer takes it along.
    expect(ledger[FINALIZED]).toBeLessThanOrEqual(KILLS);
  });
});
