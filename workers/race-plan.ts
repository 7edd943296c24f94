// The plan of a rendezvous race, drawn from a seed: which threads there are (main, workers, nested workers), which copies of
// the library each loads, and when each attaches.

export type Copy = 'a' | 'b';
/** before: main attaches first; while: at the gate with the workers; after: when all of them have; never. */
type When = 'before' | 'while' | 'after' | 'never';

export interface Participant {
  readonly copies: readonly Copy[];
  /** Whether it waits with attachAsync(). */
  readonly asynchronous: boolean;
  /** Turns of an empty loop between the gate and the attempt. */
  readonly delay: number;
  /** Late: started only when the gate opens. */
  readonly late: boolean;
  readonly nested: readonly Participant[];
}

export interface Plan {
  readonly main: { readonly when: When; readonly copies: readonly Copy[]; readonly delay: number };
  /** What main does while the others attach, and for how long, in ms. */
  readonly meanwhile: { readonly kind: 'idle' | 'busy' | 'blocked'; readonly ms: number };
  readonly workers: readonly Participant[];
}

/** mulberry32: a small generator of numbers in [0, 1). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function draw(seed: number): Plan {
  const random = generator(seed);
  const one = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const copies = (): readonly Copy[] => one([['a'], ['b'], ['a', 'b'], ['b', 'a']] as const);
  // Half of the threads start at once; the others are spread over about the time one attempt takes.
  const delay = (): number => (random() < 0.5 ? 0 : Math.floor(random() * 3_000_000));
  const participant = (late: boolean, depth: number): Participant => ({
    copies: copies(),
    asynchronous: random() < 0.25,
    delay: delay(),
    late,
    nested: depth > 0 && random() < 0.35 ? [participant(late, depth - 1)] : [],
  });
  const when = one(['before', 'while', 'while', 'after', 'never'] as const);
  return {
    main: { when, copies: copies(), delay: delay() },
    meanwhile: { kind: one(['idle', 'busy', 'blocked']), ms: Math.floor(random() * 10) },
    workers: Array.from({ length: one([1, 2, 2, 3]) }, () => participant(random() < 0.25, 1)),
  };
}

/** These and all that are nested in them. */
export const flat = (participants: readonly Participant[]): Participant[] =>
  participants.flatMap((each) => [each, ...flat(each.nested)]);
