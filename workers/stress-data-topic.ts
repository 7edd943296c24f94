// What a topic of the stress runs on per-CPU data consists of: what a thread does, and what the supervisor asserts while all of them keep still.

import type { Area } from 'coexist';
import type * as core from '../src/core.js';
import type { Books } from './stress-data-books.js';
import type { DataLedger } from './stress-data-ledger.js';
import type { Random } from './stress-random.js';

export type Library = typeof core;

export interface ThreadContext {
  readonly me: number;
  readonly random: Random;
  readonly ledger: DataLedger;
  /** The copies of the library. */
  readonly apis: readonly Library[];
  readonly area: Area;
  /** s that an operation may take. */
  readonly bound: number;
}

/** What a thread does. */
export interface Work {
  /** One operation; what it returns is awaited where it is a promise. */
  turn(): unknown;
  /** Gives back what it has, before it ends as it should. */
  finish(): void;
  /** Disposes of all that it constructed. */
  close(): void;
}

export interface JudgeContext {
  readonly random: Random;
  readonly ledger: DataLedger;
  readonly api: Library;
  readonly area: Area;
  readonly books: Books;
  readonly bound: number;
  readonly violate: (rule: string, text: string) => void;
}

/** The threads while nobody operates. */
export interface Census {
  /** Between two operations, or before the first. */
  readonly live: readonly number[];
  /** Behind their last, and not yet ended. */
  readonly leaving: readonly number[];
  /** Those that have ended since the census before. */
  readonly gone: readonly number[];
}

/** What the supervisor asserts. */
export interface Judge {
  /** Between two ticks, while threads operate. */
  tick?(): void;
  census(census: Census): Promise<void>;
  /** Behind the last census, with all threads ended. */
  settle?(): unknown;
  /** For the summary. */
  said(): { readonly text: string; readonly more: object };
}

export interface Topic {
  /** Threads answer others: in a pause they let their event loops turn. */
  readonly answers?: boolean;
  thread(context: ThreadContext): Work;
  judge(context: JudgeContext): Judge;
}

const PROOF_MS = 2000;
const LOOK_MS = 5;

/**
 * Looks until nothing is wrong: a thread's end is heard a moment before it can be proven. What is wrong then is a violation.
 */
export async function settled(
  { violate }: Pick<JudgeContext, 'violate'>,
  rule: string,
  wrong: () => string | undefined,
): Promise<void> {
  const begun = performance.now();
  let found = wrong();
  while (found !== undefined && performance.now() - begun < PROOF_MS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    found = wrong();
  }
  if (found !== undefined) violate(rule, found);
}
