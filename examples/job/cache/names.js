// What the main thread and the workers of the job must agree on.
// @ts-check

export const CACHE = 'job';
export const LIMITER = 'job';

/** Tokens of a full bucket: so many files may be analysed without a wait. */
export const BURST = 100;

/** What a worker is doing, in a word that the main thread reads. */
export const STAGES = /** @type {const} */ ([
  'between tasks',
  'asking the cache',
  'waiting its turn',
  'reading',
  'storing',
]);
