// The protocols that are explored, and how far. To add one: write workers/explore-NAME.ts, which exports `setup`, `prepare`, `reset`,
// `threads`, `after` and what else docs/explore.md says (explore-area.ts has what most need; load the library with its loadCore,
// never by an import), and give it a line below. `npm run explore -- NAME` then runs it far and `npm test` a little. To plant a bug that it must
// find, add a line to explore-mutations.ts.

import type { ExploreOptions } from '../src/explore.js';

/** So far no reach takes as long. */
const LONGEST_MS = 3_600_000;

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
  /** Of the module, where it is not the name. */
  readonly module?: string | undefined;
  readonly variant?: string | undefined;
  /** Not with kills: without the thread that was killed, the others wait for ever. */
  readonly noKills?: boolean | undefined;
  /** Nothing of it is wasm. */
  readonly noWasm?: boolean | undefined;
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

/** The same for locks, whose schedules are shorter. */
const SHORT_LOCKS: readonly Reach[] = [
  { threads: 2, maxPreemptions: 2, kills: 0 },
  { threads: 2, maxPreemptions: 1, kills: 1 },
  { threads: 3, maxPreemptions: 1, kills: 0 },
];

/** The same for per-CPU data, where a thread has to be stopped inside its section, and another one behind that. */
const SHORT_PERCPU: readonly Reach[] = [
  { threads: 2, maxPreemptions: 2, kills: 0 },
  { threads: 2, maxPreemptions: 1, kills: 1 },
];

/** What npm run explore runs. */
export const LONG: readonly Reach[] = [
  { threads: 2, maxPreemptions: 3, kills: 0 },
  { threads: 2, maxPreemptions: 1, kills: 1 },
  { threads: 3, maxPreemptions: 2, kills: 0 },
  { threads: 3, maxPreemptions: 1, kills: 1 },
  { threads: 4, maxPreemptions: 4, kills: 1, random: 20_000 },
];

/** Of singletons, whose schedules are long: each acquire and release is a dozen steps under the lock. */
const SHORT_SINGLETON: readonly Reach[] = [
  { threads: 2, maxPreemptions: 1, kills: 0 },
  { threads: 2, maxPreemptions: 0, kills: 1 },
];
const LONG_SINGLETON: readonly Reach[] = [
  { threads: 2, maxPreemptions: 3, kills: 0 },
  { threads: 2, maxPreemptions: 2, kills: 1 },
  { threads: 3, maxPreemptions: 2, kills: 0 },
  { threads: 3, maxPreemptions: 1, kills: 1 },
  { threads: 4, maxPreemptions: 4, kills: 1, random: 20_000 },
];

/** The same of calls, where most steps are of words that both sides write. */
const LONG_CALL: readonly Reach[] = [
  { threads: 2, maxPreemptions: 3, kills: 0 },
  { threads: 2, maxPreemptions: 1, kills: 1 },
  { threads: 3, maxPreemptions: 1, kills: 0 },
  { threads: 3, maxPreemptions: 0, kills: 1 },
  { threads: 4, maxPreemptions: 4, kills: 1, random: 20_000 },
];

/** Of a server that is replaced: who waits for its death looks all the time. */
const SHORT_HEIR: readonly Reach[] = [{ threads: 3, maxPreemptions: 0, kills: 0 }];
const LONG_HEIR: readonly Reach[] = [{ threads: 3, maxPreemptions: 0, kills: 1 }];

/** The same of loans, whose borrower looks all the time. */
const LONG_LOAN: readonly Reach[] = [
  { threads: 2, maxPreemptions: 2, kills: 0 },
  { threads: 2, maxPreemptions: 0, kills: 1 },
  { threads: 3, maxPreemptions: 1, kills: 0 },
  { threads: 4, maxPreemptions: 4, kills: 1, random: 20_000 },
];

/** Of rings, whose schedules are few: most steps are of words that one thread alone writes. */
const LONG_RING: readonly Reach[] = [
  { threads: 2, maxPreemptions: 5, kills: 0 },
  { threads: 2, maxPreemptions: 3, kills: 2 },
  { threads: 3, maxPreemptions: 3, kills: 0 },
  { threads: 3, maxPreemptions: 1, kills: 2 },
  { threads: 4, maxPreemptions: 4, kills: 2, random: 20_000 },
];

export const protocols: readonly Protocol[] = [
  { name: 'register', about: 'register and unregister, nested' },
  { name: 'claim', about: 'claims where there is a slot less than threads' },
  { name: 'reclaim', about: 'sweeps of a dead thread that race claims and each other' },
  { name: 'leftover', about: 'a claim that was cut, made again while others claim' },
  { name: 'observe', about: 'reading the slots while they change hands' },
  { name: 'key', about: 'creating keys in the directory' },
  ...lock('mutex', 'a section under a Mutex'),
  ...lock('rwlock', 'a writer and readers under an RwLock'),
  { name: 'rwlock-writers', module: 'rwlock', variant: 'writers', about: 'two writers and a reader' },
  ...lock('once', 'calls of a Once').map((once) => ({ ...once, noWasm: true })),
  {
    name: 'once-throws',
    module: 'once',
    variant: 'throws',
    about: 'one initialiser throws, the others force',
    noWasm: true,
  },
  ...lock('condvar', 'waiting for a condition that is announced to all'),
  { name: 'condvar-each', module: 'condvar', variant: 'each', about: 'one notification for each waiter' },
  { name: 'condvar-bare', module: 'condvar', variant: 'bare', about: 'wait() in a loop', noKills: true },
  ...lock('semaphore', 'a section under a Semaphore of one permit'),
  { name: 'semaphore-signal', module: 'semaphore', variant: 'signal', about: 'permits as signals', noKills: true },
  { name: 'barrier', about: 'passing a Barrier' },
  {
    name: 'barrier-timeout',
    module: 'barrier',
    variant: 'timeout',
    about: 'one party withdraws and comes again',
    timeouts: 'any',
    noKills: true,
    // Any bounded sleep may end at any moment here: the bound of three has millions of schedules.
    long: [
      { threads: 2, maxPreemptions: 2, kills: 0 },
      { threads: 3, maxPreemptions: 1, kills: 0 },
    ],
  },
  { name: 'ring', about: 'a writer and drainers of a Ring that drops the newest', short: SHORT_LOCKS, long: LONG_RING },
  {
    name: 'ring-overwrite',
    module: 'ring',
    variant: 'overwrite',
    about: 'the same, overwriting',
    short: SHORT_LOCKS,
    long: LONG_RING,
  },
  ...[
    { name: 'percpu-list', about: 'pushing and popping one list of a shard' },
    { name: 'percpu-buffer', about: 'pushing and popping one bounded buffer of a shard' },
    { name: 'percpu-fence', about: 'turning a pointer, and a fence, against additions through it' },
    { name: 'percpu-fence-slot', module: 'percpu-fence', variant: 'slot', about: 'the same with owner-only sections' },
    { name: 'pool', about: 'allocating and freeing the items of a pool' },
    { name: 'pool-dead', module: 'pool', variant: 'dead', about: 'freeing the items of a dead thread' },
  ].map((protocol) => ({ ...protocol, short: SHORT_PERCPU })),
  ...[
    { name: 'singleton', about: 'acquiring, using and releasing a singleton' },
    { name: 'singleton-get', module: 'singleton', variant: 'get', about: 'get against a release' },
    { name: 'singleton-throws', module: 'singleton', variant: 'throws', about: 'a constructor throws, others retry' },
    { name: 'singleton-reclaim', module: 'singleton', variant: 'reclaim', about: 'who held it is dead' },
    { name: 'singleton-nested', module: 'singleton', variant: 'nested', about: 'a second reference against reclaims' },
    { name: 'singleton-discard', module: 'singleton', variant: 'discard', about: 'it goes with its dead creator' },
  ].map((protocol) => ({ ...protocol, short: SHORT_SINGLETON, long: LONG_SINGLETON })),
  ...[
    { name: 'singleton-loan', module: 'singleton', variant: 'loan', about: 'a reference is lent and adopted' },
    { name: 'singleton-revoke', module: 'singleton', variant: 'revoke', about: 'the same, and it may be taken back' },
  ].map((protocol) => ({ ...protocol, short: SHORT_SINGLETON, long: LONG_LOAN })),
  ...[
    { name: 'module', about: 'entering builds of a module, initialising and leaving' },
    { name: 'module-own', module: 'module', variant: 'own', about: 'the same, trying the other build meanwhile' },
    { name: 'module-read', module: 'module', variant: 'read', about: 'the same, while one reads without the lock' },
    {
      name: 'module-interface',
      module: 'module',
      variant: 'interface',
      about: 'beginning to implement one interface',
      noWasm: true,
    },
  ].map((protocol) => ({ ...protocol, short: SHORT_SINGLETON })),
  ...[
    { name: 'call', about: 'calls of a server that runs' },
    { name: 'call-open', module: 'call', variant: 'open', about: 'the same, with opening and connecting' },
    { name: 'call-one', module: 'call', variant: 'one', about: 'the same, with one cell for all' },
    { name: 'call-close', module: 'call', variant: 'close', about: 'the server closes, and opens again' },
    {
      name: 'call-request',
      module: 'call',
      variant: 'dead-request',
      about: 'the only cell is a dead thread’s request',
    },
    { name: 'call-reply', module: 'call', variant: 'dead-reply', about: 'the only cell is a reply to a dead thread' },
    {
      name: 'call-given-up',
      module: 'call',
      variant: 'given-up',
      about: 'the only cell was given up by a dead thread',
    },
    {
      name: 'call-heir',
      module: 'call',
      variant: 'heir',
      about: 'another thread serves when the server is dead',
      short: SHORT_HEIR,
      long: LONG_HEIR,
    },
    {
      name: 'call-timeout',
      module: 'call',
      variant: 'timeout',
      about: 'one call may time out',
      timeouts: 'any' as const,
    },
  ].map((protocol) => ({ short: SHORT_SINGLETON, long: LONG_CALL, ...protocol })),
];

/** A lock, the lock with a wait that may time out at any moment, and with one that may be aborted at any look. */
function lock(name: string, about: string): Protocol[] {
  const short = SHORT_LOCKS;
  return [
    { name, about, short },
    {
      name: `${name}-timeout`,
      module: name,
      variant: 'timeout',
      about: 'one wait may time out',
      timeouts: 'any',
      short: short.slice(0, 2),
    },
    {
      name: `${name}-abort`,
      module: name,
      variant: 'abort',
      about: 'one wait may be aborted',
      short: short.slice(0, 2),
    },
  ];
}

export const backendsOf = ({ noWasm }: Protocol): readonly Backend[] => (noWasm ? ['twin'] : BACKENDS);

/** How far to go with a protocol. */
export function reachesOf({ short, long, noKills }: Protocol, far: boolean): readonly Reach[] {
  const reaches = far ? (long ?? LONG) : (short ?? SHORT);
  return noKills ? reaches.filter(({ kills }) => kills === 0) : reaches;
}

/** What to give to explore(). `build` is the URL of the folder build/workers, `core` that of the library. */
export function optionsOf(
  protocol: Protocol,
  backend: Backend,
  reach: Reach,
  build: URL,
  core: string,
): ExploreOptions {
  const { name, module, variant, timeouts } = protocol;
  const { threads, maxPreemptions, kills, random } = reach;
  return {
    module: new URL(`explore-${module ?? name}.js`, build),
    data: { core, backend, threads, kills, variant },
    maxPreemptions,
    kills,
    timeouts,
    mode: random === undefined ? 'exhaustive' : 'random',
    budget: { ms: LONGEST_MS, schedules: random ?? Number.MAX_SAFE_INTEGER },
  };
}
