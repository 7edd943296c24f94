// Stress topic singleton: threads make, look at, hold, lend and let go of singletons of every kind, through both copies of the library,
// while others die with theirs, or inside a constructor or a finalizer. Each generation is constructed at most once, and finalized at
// most once, and not before the last reference is gone; while all keep still, exactly what is held is counted.

import process from 'node:process';
import { MOST_KEPT } from './stress-data-ledger.js';
import {
  type Census,
  type Judge,
  type JudgeContext,
  settled,
  type ThreadContext,
  type Topic,
  type Work,
} from './stress-data-topic.js';
import { FAULT_VARIABLE } from './stress-faults.js';
import {
  isInside,
  ON_FAILURE,
  openPlaces,
  PLACES,
  type Place,
  type StressReference,
} from './stress-singleton-places.js';

/** Of what is kept: the place, then the generation + 1. */
export const codeOf = (which: number, generation: number): number => (generation + 1) * PLACES.length + which;
const placeOf = (code: number): number => code % PLACES.length;
const generationOf = (code: number): number => Math.floor(code / PLACES.length) - 1;

/** About as much is let go as is taken, so that instances come and go. */
const WAYS = {
  get: 15,
  acquire: 14,
  acquireAsync: 5,
  createNew: 2,
  use: 20,
  peek: 4,
  lend: 4,
  release: 35,
  reclaim: 2,
  list: 1,
};
const IMPATIENT = 0.05;
const PLANTS_AT = 100;

const codeIs = (error: unknown, ...codes: readonly string[]): boolean =>
  codes.includes(String((error as NodeJS.ErrnoException).code));

function thread(context: ThreadContext): Work {
  const { me, random, ledger, apis, bound } = context;
  const copies = apis.map((api) => openPlaces(api, context));
  const held: (StressReference | undefined)[] = new Array(MOST_KEPT).fill(undefined);
  let turns = 0;

  const pick = (which: number): Place => random.pick(copies)[which]!;
  const freePlace = (): number => held.indexOf(undefined);

  /** One that is held, if any is. */
  function heldPlace(): number {
    const places = [...held.keys()].filter((k) => held[k] !== undefined);
    return places.length > 0 ? random.pick(places) : 0;
  }

  function keep(which: number, reference: StressReference | undefined): void {
    if (reference === undefined) return;
    const k = freePlace();
    held[k] = reference;
    ledger.keep(me, k, codeOf(which, reference.generation));
    pick(which).use(reference);
  }

  function letGo(k: number): void {
    const reference = held[k];
    if (reference === undefined) return;
    held[k] = undefined;
    // First: what is given up is counted no more in any case.
    ledger.keep(me, k, 0);
    release(reference);
  }

  /** That of an instance which is gone is void: there is nothing to give back. */
  function release(reference: StressReference): void {
    try {
      reference.release();
    } catch (error) {
      if (!codeIs(error, 'COEXIST_EGONE')) throw error;
    }
  }

  function limits(): { timeout: number } {
    return { timeout: random.chance(IMPATIENT) ? random.below(3) : bound * 1000 };
  }

  /** What a constructor, or the lack of patience, may say. */
  function expected(error: unknown, timeout: number): void {
    if ((error as Error).message === ON_FAILURE || codeIs(error, 'COEXIST_EFAILED')) return;
    if (codeIs(error, 'COEXIST_ETIMEDOUT') && timeout < 10) return;
    throw error;
  }

  function acquire(which: number): void {
    const options = { ...limits(), retry: random.chance(0.7) };
    let reference: StressReference;
    try {
      reference = pick(which).acquire(options);
    } catch (error) {
      expected(error, options.timeout);
      return;
    }
    keep(which, reference);
  }

  async function acquireAsync(which: number): Promise<void> {
    const options = { ...limits(), retry: random.chance(0.7) };
    let reference: StressReference;
    try {
      reference = await pick(which).acquireAsync(options);
    } catch (error) {
      expected(error, options.timeout);
      return;
    }
    keep(which, reference);
  }

  function createNew(which: number): void {
    const { timeout } = limits();
    try {
      keep(which, pick(which).createNew({ timeout }));
    } catch (error) {
      if (!codeIs(error, 'COEXIST_EEXIST')) expected(error, timeout);
    }
  }

  function lend(k: number): void {
    const [reference, code] = [held[k], ledger.kept(me, k)];
    if (reference === undefined) return;
    const place = pick(placeOf(code));
    try {
      const loan = reference.lend();
      if (!reference.revoke(loan) && place.lives(reference))
        ledger.complain(`thread ${me}: a loan was taken by nobody`);
    } catch (error) {
      if (!codeIs(error, 'COEXIST_EGONE')) throw error;
    }
  }

  /** Faults in the use of singletons, planted by one thread. */
  function plant(fault: string): void {
    if (me !== 0 || turns !== PLANTS_AT) return;
    const place = copies[0]![0]!;
    const reference = place.acquire({ timeout: 1000, retry: true });
    if (fault === 'reference-not-noted') return;
    if (fault === 'constructed-twice') place.construct();
    if (fault === 'finalized-early') place.finalize();
    release(reference);
  }

  return {
    turn() {
      const fault = process.env[FAULT_VARIABLE];
      turns++;
      if (fault !== undefined) plant(fault);
      const which = random.below(PLACES.length);
      const full = freePlace() < 0;
      const way = random.weighted(WAYS);
      const k = heldPlace();
      if (way === 'release' || (full && ['get', 'acquire', 'acquireAsync', 'createNew'].includes(way))) letGo(k);
      else if (way === 'get') keep(which, pick(which).get());
      else if (way === 'acquire') acquire(which);
      else if (way === 'acquireAsync') return acquireAsync(which);
      else if (way === 'createNew') createNew(which);
      else if (way === 'peek') pick(which).look();
      else if (way === 'reclaim') pick(which).reclaim();
      else if (way === 'list') random.pick(apis).singletons();
      else if (way === 'lend') lend(k);
      else if (held[k] !== undefined) pick(placeOf(ledger.kept(me, k))).use(held[k]);
      return undefined;
    },
    finish() {
      for (let k = 0; k < MOST_KEPT; k++) letGo(k);
    },
    close() {
      for (let k = 0; k < MOST_KEPT; k++) letGo(k);
    },
  };
}

function judge(context: JudgeContext): Judge {
  const { ledger, api, area, violate } = context;
  const places = openPlaces(api, { ...context, me: -1 });
  const counts = { constructed: 0, finalized: 0, failed: 0, unfinished: 0, held: 0 };
  let deaths = 0;
  let ends = 0;

  function wrong({ live, leaving }: Census): string | undefined {
    let held = 0;
    for (const [which, place] of places.entries()) {
      // A dead thread's DYING is a question that nobody has answered: who holds the instance holds it still. The next one answers.
      if (place.status().dying && isInside(api, area, place.key)) place.goOn();
      const status = place.status();
      let [kept, doubtful] = [0, 0];
      for (const me of [...live, ...leaving]) {
        // Told to die: it may be dead before that is heard here, and its references with it.
        const doomed = ledger.get(me, 'command') !== 0;
        for (let k = 0; k < MOST_KEPT; k++) {
          const code = ledger.kept(me, k);
          if (code === 0 || placeOf(code) !== which) continue;
          held++;
          const current = status.live && generationOf(code) === status.generation;
          if (doomed) doubtful++;
          else if (current) kept++;
          else if (place.outlivesCreator) {
            return `${place.key}: thread ${me} holds generation ${generationOf(code)}, and there is ${status.text}`;
          }
        }
      }
      if (status.total < kept || status.total > kept + doubtful) {
        return `${place.key}: ${status.total} references counted, ${kept} held; ${status.text}`;
      }
    }
    counts.held = Math.max(counts.held, held);
    return undefined;
  }

  function unfinished(which: number): number {
    const found = places[which]!.ends();
    counts.constructed += found.constructed;
    counts.finalized += found.finalized;
    counts.failed += found.failed;
    return found.constructed - found.finalized - found.failed;
  }

  return {
    async census(census) {
      ends += census.gone.length;
      deaths += census.gone.filter((me) => ledger.get(me, 'command') !== 0).length;
      await settled(context, 'references not exact', () => wrong(census));
    },
    async settle() {
      for (const [which, place] of places.entries()) {
        await settled(context, 'instance not ended', () => {
          place.reclaim();
          const status = place.status();
          return status.total === 0 && status.ended
            ? undefined
            : `${place.key}: ${status.total} references, ${status.text}`;
        });
        const left = unfinished(which);
        counts.unfinished += left;
        // A thread that dies may take along, of each, what it constructs or finalizes; and one that ends in any way, what it hosts.
        const most = place.hosted ? ends : deaths;
        if (left > most) violate('finalizer not run', `${place.key}: ${left} instances, and ${most} threads ended`);
      }
    },
    said() {
      const { constructed, finalized, failed, unfinished: left, held } = counts;
      const text = `${constructed} constructions, ${finalized} finalized, ${failed} failed, ${left} ended with their threads, at most ${held} references at once`;
      return { text, more: counts };
    },
  };
}

export const singletonTopic: Topic = { answers: true, thread, judge };
