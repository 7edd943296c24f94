// The singletons of the stress run: one that outlives its creator, one that goes with it, and one that is hosted. Constructors and
// finalizers write down, for each generation, how far it has come; what a reference gives access to says to which it belongs.

import type { Area } from 'coexist';
import type { Library, ThreadContext } from './stress-data-topic.js';

export const PLACES = ['kept', 'discarded', 'hosted'] as const;
type Kind = (typeof PLACES)[number];

/** What a constructor throws on purpose. */
export const ON_FAILURE = 'a constructor that fails on purpose';

/** Generations that are told apart; in the ledger's free words, for each place. */
const WINDOW = 2 ** 18;
/** What has become of a generation, below the generation itself. */
const CONSTRUCTED = 1;
const FINALIZED = 2;
const FAILED = 3;
const STATE_BITS = 2;

/** What the first word of a memory instance says: its generation, or that it has ended. */
const ENDED = 0x7ead;
const canary = (generation: number): number => (Math.imul(generation + 1, 0x9e3779b1) ^ 0x5eed) | 0;
const BYTES = 64;

const FAILS = 0.03;
const DAWDLES = 0.1;
const DAWDLE_MS = 2;

interface Guest {
  readonly generation: number;
  ended: boolean;
}

export interface StressReference {
  readonly generation: number;
  readonly created: boolean;
  release(): void;
  lend(): unknown;
  revoke(loan: unknown): boolean;
}

interface Limits {
  readonly timeout: number;
  readonly retry?: boolean;
}

export interface Place {
  readonly key: string;
  readonly outlivesCreator: boolean;
  readonly hosted: boolean;
  get(): StressReference | undefined;
  acquire(options: Limits): StressReference;
  acquireAsync(options: Limits): Promise<StressReference>;
  createNew(options: Limits): StressReference;
  /** Whether what it refers to is there, and is what it should be. */
  use(reference: StressReference): void;
  /** Whether its instance is the present one. */
  lives(reference: StressReference): boolean;
  look(): void;
  reclaim(): number;
  status(): { generation: number; live: boolean; dying: boolean; ended: boolean; total: number; text: string };
  /** Goes on, as whoever comes next does, where a thread has died while it asked whether anybody holds the instance. */
  goOn(): void;
  /** What has become of the generations, by the words of the ledger. */
  ends(): { constructed: number; finalized: number; failed: number };
  /** What constructors and finalizers note, for faults. */
  construct(): void;
  finalize(): void;
}

export type Context = Pick<ThreadContext, 'me' | 'random' | 'ledger' | 'bound'>;

export function openPlaces(api: Library, context: Context): Place[] {
  return PLACES.map((kind, which) => openPlace(api, context, kind, which));
}

function openPlace(api: Library, { me, random, ledger, bound }: Context, kind: Kind, which: number): Place {
  const key = `stress/${kind}`;
  const words = ledger.free.subarray(which * WINDOW, (which + 1) * WINDOW);
  const at = (generation: number): number => generation % WINDOW;
  const complain = (text: string): void => ledger.complain(`thread ${me}: ${text} in ${key}`);
  const rest = new Int32Array(new SharedArrayBuffer(4));
  const dawdle = (): unknown => random.chance(DAWDLES) && Atomics.wait(rest, 0, 0, random.below(DAWDLE_MS + 1));

  /** The constructor's note; the generation. */
  function construct(): number {
    const { generation } = declared.peek();
    const before = Atomics.load(words, at(generation));
    if ((before & FAILED) !== 0 && before >>> STATE_BITS === generation)
      complain(`generation ${generation} constructed twice`);
    else if (!note(generation, before, CONSTRUCTED)) complain(`generation ${generation} constructed by two at once`);
    return generation;
  }

  function note(generation: number, before: number, state: number): boolean {
    return Atomics.compareExchange(words, at(generation), before, (generation << STATE_BITS) | state) === before;
  }

  function fail(generation: number): never {
    note(generation, (generation << STATE_BITS) | CONSTRUCTED, FAILED);
    throw new Error(ON_FAILURE);
  }

  function finalize(generation = declared.peek().generation): void {
    if (!note(generation, (generation << STATE_BITS) | CONSTRUCTED, FINALIZED)) {
      complain(`generation ${generation} finalized twice, or never constructed`);
    }
  }

  const memory = {
    bytes: BYTES,
    onOwnerDeath: kind === 'discarded' ? ('discard' as const) : ('keep' as const),
    create({ i32 }: { readonly i32: Int32Array }): void {
      if (i32.some((word) => word !== 0)) complain('an instance that does not begin zeroed');
      const generation = construct();
      dawdle();
      if (random.chance(FAILS)) fail(generation);
      Atomics.store(i32, 0, canary(generation));
    },
    finalize({ i32 }: { readonly i32: Int32Array }): void {
      const { generation } = declared.peek();
      if (Atomics.load(i32, 0) !== canary(generation)) complain(`generation ${generation} is not what is finalized`);
      finalize(generation);
      Atomics.store(i32, 0, ENDED);
      dawdle();
    },
  };
  const hosted = {
    create(): Guest {
      const generation = construct();
      dawdle();
      if (random.chance(FAILS)) fail(generation);
      return { generation, ended: false };
    },
    finalize(guest: Guest): void {
      if (guest.ended) complain(`generation ${guest.generation} finalized again`);
      guest.ended = true;
      finalize(guest.generation);
    },
    methods: {
      ask: (guest: Guest, n: number): number[] => [n, guest.generation, guest.ended ? 1 : 0],
    },
  };
  const declared: Declared = declare(api, key, kind === 'hosted' ? hosted : memory);

  function lives({ generation }: StressReference): boolean {
    const status = declared.peek();
    return (
      status.phase === 'LIVE' && status.generation === generation && (kind === 'kept' || status.actor?.alive === true)
    );
  }

  function useHosted(reference: StressReference): void {
    const n = random.below(2 ** 31);
    try {
      const answer = (reference as HostedReference).with({ timeout: bound * 1000 }).callSync('ask', n);
      if (answer[0] !== n || answer[1] !== reference.generation)
        complain(`asked ${n} of ${reference.generation}, was told ${answer}`);
      if (answer[2] === 1 && lives(reference)) complain('a method ran behind the finalizer');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'COEXIST_EGONE') throw error;
      if (lives(reference)) complain(`generation ${reference.generation} lives, and is said to be gone`);
    }
  }

  function useMemory(reference: StressReference): void {
    const { generation } = reference;
    try {
      const found = Atomics.load((reference as MemoryReference).memory.i32, 0);
      // Nothing but its creator's death ends an instance that is held.
      if (found === canary(generation) || (kind === 'discarded' && !lives(reference))) return;
      complain(`generation ${generation} is held, and its canary is ${found}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'COEXIST_EGONE') throw error;
      if (lives(reference)) complain(`generation ${generation} lives, and is said to be gone`);
    }
  }

  return {
    key,
    outlivesCreator: kind === 'kept',
    hosted: kind === 'hosted',
    get: () => declared.get() as StressReference | undefined,
    acquire: (options) => declared.acquire(options) as StressReference,
    acquireAsync: (options) => declared.acquireAsync(options) as Promise<StressReference>,
    createNew: (options) => declared.createNew(options) as StressReference,
    use(reference) {
      if (kind === 'hosted') {
        useHosted(reference);
        return;
      }
      useMemory(reference);
    },
    lives,
    look() {
      const status = declared.peek();
      if (status.key !== key || JSON.stringify(status).length < 2) complain(`looked, and saw ${status.key}`);
      declared.allowed();
    },
    reclaim: () => declared.reclaim(),
    status() {
      const { phase, generation, total, actor } = declared.peek();
      // One whose constructor has died stays so until somebody wants it.
      const ended = phase === 'EMPTY' || phase === 'FAILED' || (phase === 'CONSTRUCTING' && actor?.alive === false);
      const [live, dying] = [phase === 'LIVE', phase === 'DYING'];
      return { generation, live, dying, ended, total, text: `generation ${generation} ${phase}` };
    },
    goOn() {
      (declared.get() as StressReference | undefined)?.release();
    },
    ends() {
      const found = { constructed: 0, finalized: 0, failed: 0 };
      for (const word of words) {
        if (word !== 0) found.constructed++;
        if ((word & FAILED) === FINALIZED) found.finalized++;
        if ((word & FAILED) === FAILED) found.failed++;
      }
      return found;
    },
    construct: () => void construct(),
    finalize: () => finalize(),
  };
}

/** Whether anybody is inside the lock of a key: where all keep still, one who has died there. */
export function isInside({ ENTRY, ENTRY_BYTES, KINDS, SINGLETON, viewsOf }: Library, area: Area, key: string): boolean {
  const { buffer, geometry } = area;
  const { u8, u32, i64 } = viewsOf(buffer);
  for (let entry = geometry.directoryOffset; ; entry += ENTRY_BYTES) {
    const field = (name: Exclude<keyof typeof ENTRY, 'name'>): number =>
      u32[(entry + ENTRY[name].offset) >>> 2] as number;
    if (field('state') === 0) return false;
    const nameAt = entry + ENTRY.name.offset;
    const name = Buffer.from(u8.slice(nameAt, nameAt + field('name_length'))).toString();
    if (field('kind') !== KINDS.singleton.number || name !== key) continue;
    return Atomics.load(i64, (field('offset') + SINGLETON.owner.offset) >>> 3) !== 0n;
  }
}

interface HostedReference extends StressReference {
  with(options: { readonly timeout: number }): { callSync(method: 'ask', n: number): number[] };
}
interface MemoryReference extends StressReference {
  readonly memory: { readonly i32: Int32Array };
}

/** Both kinds as one type: what they share. */
const declare = (api: Library, key: string, declaration: object): Declared =>
  api.singleton(key, declaration as never) as unknown as Declared;

interface Declared {
  get(): unknown;
  acquire(options: Limits): unknown;
  acquireAsync(options: Limits): Promise<unknown>;
  createNew(options: Limits): unknown;
  peek(): {
    readonly key: string;
    readonly phase: string;
    readonly generation: number;
    readonly total: number;
    readonly actor?: { readonly alive?: boolean };
  };
  allowed(): unknown;
  reclaim(): number;
}
