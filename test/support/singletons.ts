// Singletons in private areas: the words of their objects, read and written as docs/ABI.md says, and references that actors hold.

import type { Area } from 'coexist';
import {
  HOLDER,
  HOLDER_BYTES,
  HOLDERS_OFFSET,
  SINGLETON,
  SINGLETON_GENERATION_SHIFT,
  SINGLETON_PHASE_MASK,
  SINGLETON_PHASES,
} from 'coexist/abi';
import type { InstanceMemory, MemoryReference, MemorySingleton, SingletonStatus } from 'coexist/singleton';
import type { Actor } from './actor.js';
import { bytesOf } from './area-bytes.js';
import { type Backend, memoryOf, smallArea } from './backends.js';
import { type CopyName, copyUrl } from './copies.js';

export type PhaseName = (typeof SINGLETON_PHASES)[number];

/** The word of a phase in a generation. */
export const stateWord = (phase: PhaseName, generation: number): number =>
  SINGLETON_PHASES.indexOf(phase) | (generation << SINGLETON_GENERATION_SHIFT);

export const areaFor = (backend: Backend, slots = 8): Area => smallArea(backend, { slots, heapBytes: 16384 });

/** The object of a key, word by word. */
export function singletonBytes(area: Area, key: string) {
  const bytes = bytesOf(area);
  let entry = 0;
  while (bytes.entryName(entry) !== key) if (++entry === 64) throw new Error(`no entry ${key}`);
  const at = bytes.entry(entry, 'offset');
  const i32 = new Int32Array(area.buffer);
  const word = (name: Exclude<keyof typeof SINGLETON, 'owner' | 'actor'>): number =>
    (at + SINGLETON[name].offset) >>> 2;
  const rowAt = (k: number): number => at + HOLDERS_OFFSET + k * HOLDER_BYTES;
  const state = (): number => Atomics.load(i32, word('state'));
  return {
    at,
    i32,
    stateIndex: word('state'),
    phase: (): PhaseName => SINGLETON_PHASES[state() & SINGLETON_PHASE_MASK] as PhaseName,
    generation: (): number => state() >>> SINGLETON_GENERATION_SHIFT,
    setState: (phase: PhaseName, generation: number): void => {
      Atomics.store(i32, word('state'), stateWord(phase, generation));
    },
    owner: (): bigint => Atomics.load(bytes.i64, (at + SINGLETON.owner.offset) >>> 3),
    setOwner: (identity: bigint): void => {
      Atomics.store(bytes.i64, (at + SINGLETON.owner.offset) >>> 3, identity);
    },
    actor: (): bigint => Atomics.load(bytes.i64, (at + SINGLETON.actor.offset) >>> 3),
    setActor: (identity: bigint): void => {
      Atomics.store(bytes.i64, (at + SINGLETON.actor.offset) >>> 3, identity);
    },
    rowsUsed: (): number => Atomics.load(i32, word('holders_used')),
    row: (k: number) => ({
      identity: Atomics.load(bytes.i64, (rowAt(k) + HOLDER.identity.offset) >>> 3),
      count: Atomics.load(i32, (rowAt(k) + HOLDER.count.offset) >>> 2),
      phase: Atomics.load(i32, (rowAt(k) + HOLDER.phase.offset) >>> 2),
    }),
    plantRow: (k: number, identity: bigint, count: number, phase: number): void => {
      Atomics.store(i32, word('holders_used'), Math.max(k + 1, Atomics.load(i32, word('holders_used'))));
      Atomics.store(i32, (rowAt(k) + HOLDER.count.offset) >>> 2, count);
      Atomics.store(i32, (rowAt(k) + HOLDER.phase.offset) >>> 2, phase);
      Atomics.store(bytes.i64, (rowAt(k) + HOLDER.identity.offset) >>> 3, identity);
    },
  };
}

/** What the instances of tests are, and who made and ended them: words of `log` count constructions and finalizations. */
export interface Setting {
  readonly key: string;
  readonly log: SharedArrayBuffer;
  readonly copy?: CopyName;
  readonly type?: string;
  readonly onOwnerDeath?: 'keep' | 'discard';
}

export const CONSTRUCTED = 0;
export const FINALIZED = 1;
/** Where constructor, and finalizer, wait while it is 1; each adds 1 to the word behind it when it has arrived there. */
export const CREATE_GATE = 2;
export const FINALIZE_GATE = 4;

export const newLog = (): SharedArrayBuffer => new SharedArrayBuffer(64);

/** Declares the singleton of a setting in the actor's thread, under its key in `state`. */
export function declareIn(actor: Actor, area: Area, setting: Setting): Promise<void> {
  return actor.run(
    async ({ load, state }, { url, memory, key, log, type, onOwnerDeath }) => {
      const lib = await load(url);
      const words = new Int32Array(log);
      const pass = (gate: number): void => {
        Atomics.add(words, gate + 1, 1);
        Atomics.notify(words, gate + 1);
        while (Atomics.load(words, gate) === 1) Atomics.wait(words, gate, 1, 20);
      };
      state['lib'] = lib;
      state[key] = lib.singleton(key, {
        bytes: 64,
        area: lib.openArea(memory),
        ...(type && { type }),
        ...(onOwnerDeath && { onOwnerDeath }),
        create(memory: InstanceMemory) {
          Atomics.add(words, 0, 1);
          pass(2);
          memory.i32[0] = 4711;
        },
        finalize(memory: InstanceMemory) {
          Atomics.add(words, 1, 1);
          memory.i32[0] = -1;
          pass(4);
        },
      });
      state['references'] ??= [];
    },
    { url: copyUrl(setting.copy ?? 'a', 'core.js'), memory: memoryOf(area), ...setting },
  );
}

export interface GotReference {
  readonly created: boolean;
  readonly generation: number;
  readonly content: number;
}

type Method = 'acquire' | 'acquireAsync' | 'createNew' | 'createNewAsync' | 'get';

/** Takes a reference in the actor's thread, which keeps it last of its references. */
export function takeIn(
  actor: Actor,
  key: string,
  method: Method = 'acquire',
  options: object = { timeout: 15_000 },
): Promise<GotReference | undefined> {
  return actor.run(
    async ({ state }, { key, method, options }) => {
      const singleton = state[key] as MemorySingleton;
      const reference = await singleton[method](options);
      if (reference === undefined) return undefined;
      (state['references'] as MemoryReference[]).push(reference);
      return {
        created: reference.created,
        generation: reference.generation,
        content: reference.memory.i32[0] as number,
      };
    },
    { key, method, options },
  );
}

/** Releases the actor's latest reference. */
export function releaseIn(actor: Actor): Promise<void> {
  return actor.run(({ state }) => (state['references'] as MemoryReference[]).pop()?.release());
}

export function peekIn(actor: Actor, key: string): Promise<SingletonStatus> {
  return actor.run(({ state }, key) => (state[key] as MemorySingleton).peek(), key);
}
