// Singletons as words (docs/ABI.md, clauses 67 to 69): the words of a key's object by name, its rows as in `row2.count`, and what
// others leave there, played by hand.

import type { Area } from 'coexist';
import {
  CAUSE_BYTES,
  type Field,
  HOLDER,
  HOLDER_BYTES,
  HOLDERS_OFFSET,
  LOAN_BIT,
  SINGLETON,
  SINGLETON_GENERATION_SHIFT,
  SINGLETON_PHASE_MASK,
  SINGLETON_PHASES,
} from 'coexist/abi';
import { bytesOf } from './area-bytes.js';
import { entryOf, objectWords, type Words } from './object-words.js';

export type SingletonPhase = (typeof SINGLETON_PHASES)[number];

/** A state word; of LIVE, the live word. */
export const stateWord = (phase: SingletonPhase, generation: number): number =>
  ((generation << SINGLETON_GENERATION_SHIFT) | SINGLETON_PHASES.indexOf(phase)) >>> 0;
export const live = (generation: number): number => stateWord('LIVE', generation);

/** A row of references that others have. */
export const held = (k: number, identity: bigint, count: number, liveWord: number): Words => ({
  [`row${k}.identity`]: identity,
  [`row${k}.count`]: count,
  [`row${k}.phase`]: liveWord,
});
/** A loan that has not been taken up. */
export const lent = (k: number, lender: bigint, number: number, liveWord: number): Words => ({
  [`row${k}.identity`]: lender,
  [`row${k}.count`]: liveWord,
  [`row${k}.phase`]: (LOAN_BIT | number) >>> 0,
});

export type SingletonWords = ReturnType<typeof singletonWords>;

export function singletonWords(area: Area, key: string) {
  const bytes = bytesOf(area);
  const entry = entryOf(bytes, 'singleton', key);
  const rows = bytes.header('slot_capacity');
  const fields = new Map<string, Field>(Object.entries(SINGLETON));
  for (let k = 0; k < rows; k++) {
    for (const [name, field] of Object.entries(HOLDER)) {
      fields.set(`row${k}.${name}`, { ...field, offset: HOLDERS_OFFSET + k * HOLDER_BYTES + field.offset });
    }
  }
  const causeAt = HOLDERS_OFFSET + rows * HOLDER_BYTES;
  const words = objectWords(area, entry.at, entry.size, fields, [[causeAt, causeAt + CAUSE_BYTES]]);
  const identities = (): bigint[] => Array.from({ length: rows }, (_, k) => words.long(`row${k}.identity`));
  return {
    ...words,
    entry,
    rows,
    phase: (): SingletonPhase => SINGLETON_PHASES[words.word('state') & SINGLETON_PHASE_MASK] as SingletonPhase,
    generation: (): number => words.word('state') >>> SINGLETON_GENERATION_SHIFT,
    /** Number of the row of an identity that is no loan; -1 if it has none. */
    rowOf: (identity: bigint): number =>
      identities().findIndex((id, k) => id === identity && (words.word(`row${k}.phase`) & LOAN_BIT) === 0),
    loansOf: (identity: bigint): number[] =>
      identities().flatMap((id, k) => (id === identity && (words.word(`row${k}.phase`) & LOAN_BIT) !== 0 ? [k] : [])),
    cause(): string {
      const start = entry.at + causeAt;
      return new TextDecoder().decode(bytes.u8.slice(start, start + words.word('cause_length')));
    },
    /** The entry of the type of the instance. */
    type: (): { readonly name: string; readonly at: number; readonly size: number; readonly version: number } => {
      const number = words.word('type') - 1;
      return {
        name: bytes.entryName(number),
        at: bytes.entry(number, 'offset'),
        size: bytes.entry(number, 'size'),
        version: bytes.entry(number, 'version'),
      };
    },
    /** All words but the inner lock's token, which counts every use. */
    state(): Words {
      const { token: _, ...rest } = words.words();
      return rest;
    },
  };
}
