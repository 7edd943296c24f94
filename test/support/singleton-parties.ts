// A singleton of the library whose object is in whatever state a test wants, and a diary of what its functions did.

import { INSTANCE_HOSTED, INSTANCE_MEMORY, INSTANCE_MEMORY_OF_CREATOR } from 'coexist/abi';
import { singleton } from 'coexist/singleton';
import { type Backend, on, smallArea } from './backends.js';
import type { Words } from './object-words.js';
import { singletonWords } from './singleton-memory.js';

export const KEY = 'one';
export const BYTES = 64;
const HEAP = 2 ** 18;

export const singletonArea = (backend: Backend) => smallArea(backend, { heapBytes: HEAP });

export type Kind = 'memory' | 'memory of its creator' | 'hosted';
export const KIND_NUMBERS: Readonly<Record<Kind, number>> = {
  memory: INSTANCE_MEMORY,
  'memory of its creator': INSTANCE_MEMORY_OF_CREATOR,
  hosted: INSTANCE_HOSTED,
};

type Plan = { create?: () => void; finalize?: () => void };

/** Declares one, and leaves what its functions did in `diary`; `plan` may hook into them. */
export function declared(backend: Backend, kind: Kind, plan: Plan = {}, area = singletonArea(backend)) {
  const diary: string[] = [];
  const create = (): void => {
    diary.push('create');
    plan.create?.();
  };
  const finalize = (): void => {
    diary.push('finalize');
    plan.finalize?.();
  };
  const one = on(backend, () =>
    kind === 'hosted'
      ? singleton(KEY, {
          create: () => {
            create();
            return { made: diary.length };
          },
          finalize,
          methods: { made: (instance: { made: number }) => instance.made },
          area,
        })
      : singleton(KEY, {
          bytes: BYTES,
          create,
          finalize,
          ...(kind === 'memory of its creator' && { onOwnerDeath: 'discard' as const }),
          area,
        }),
  );
  return { one, diary, area };
}

/** The same, after it has lived and died once, with these words planted. Words not named are as that left them. */
export function forged(backend: Backend, kind: Kind, words: Words = {}, plan: Plan = {}) {
  const parties = declared(backend, kind);
  const { one, diary, area } = parties;
  one.acquire().release();
  const again = declared(backend, kind, plan, area);
  const object = singletonWords(area, KEY);
  if (object.phase() !== 'EMPTY') throw new Error(`it is ${object.phase()} after its last reference was let go`);
  diary.length = 0;
  object.plant({ kind: KIND_NUMBERS[kind], ...words });
  return { ...again, words: object };
}
