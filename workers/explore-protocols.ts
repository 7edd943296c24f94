// The protocols that are explored, and how far. To add one: write workers/explore-NAME.ts, which exports `setup`, `prepare`, `reset`,
// `threads`, `after` and what else docs/explore.md says (explore-area.ts has what most need; load the library with its loadCore,
// never by an import), and give it a line below. `npm run explore -- NAME` then runs it far and `npm test` a little. To plant a bug that it must
// find, add a line to explore-mutations.ts.

export interface Reach {
  readonly threads: number;
  readonly maxPreemptions: number;
  readonly kills: number;
  /** Random schedules (PCT) instead of all, so many. */
  readonly random?: number | undefined;
}

export interface Protocol {
  readonly name: string;
  readonly about: string;
  /** A finite wait may also time out while others can run. Default: only when nobody can. */
  readonly timeouts?: 'idle' | 'any' | undefined;
  /** Other reaches than the usual ones. */
  readonly short?: readonly Reach[] | undefined;
  readonly long?: readonly Reach[] | undefined;
}

export const BACKENDS = ['wasm', 'twin'] as const;
export type Backend = (typeof BACKENDS)[number];

/** What npm test runs. */
export const SHORT: readonly Reach[] = [
  { threads: 2, maxPreemptions: 1, kills: 0 },
  { threads: 2, maxPreemptions: 0, kills: 1 },
];

/** What npm run explore runs. */
export const LONG: readonly Reach[] = [
  { threads: 2, maxPreemptions: 3, kills: 0 },
  { threads: 2, maxPreemptions: 1, kills: 1 },
  { threads: 3, maxPreemptions: 2, kills: 0 },
  { threads: 3, maxPreemptions: 1, kills: 1 },
  { threads: 4, maxPreemptions: 4, kills: 1, random: 20_000 },
];

export const protocols: readonly Protocol[] = [
  { name: 'register', about: 'register and unregister, nested' },
  { name: 'claim', about: 'claims where there is a slot less than threads' },
  { name: 'reclaim', about: 'sweeps of a dead thread that race claims and each other' },
  { name: 'leftover', about: 'a claim that was cut, made again while others claim' },
  { name: 'observe', about: 'reading the slots while they change hands' },
  { name: 'key', about: 'creating keys in the directory' },
];

/** The built module of a protocol. `build` is the URL of the folder build/workers. */
export const moduleOf = ({ name }: Protocol, build: URL): URL => new URL(`explore-${name}.js`, build);
