// Two sides of one channel in one thread, for tests of the clauses: the library on one, a second implementation on the other.

import { type Client, connect, type Methods, type Server, serve } from 'coexist/call';
import type { RawChannel } from '../../workers/raw-call.js';
import { type Backend, on, smallArea } from './backends.js';
import { type ChannelWords, channelWords } from './call-memory.js';
import { UNKNOWABLE } from './threads.js';

/** A thread of which nobody can tell whether it lives, in a slot of its own. */
export const Y = UNKNOWABLE;
export const Y_SLOT = 3;

export const CELLS = { cells: 2, cellBytes: 192 } as const;
const HEAP = 32768;

export const callArea = (backend: Backend) => smallArea(backend, { heapBytes: HEAP });

export interface LibraryCaller<M extends Methods> {
  readonly client: Client<M>;
  readonly words: ChannelWords;
  readonly raw: RawChannel;
  readonly epoch: number;
}

/** The library calls, Y serves. */
export function libraryCalls<M extends Methods>(
  backend: Backend,
  names: readonly string[],
  { area = callArea(backend), identity = Y }: { area?: ReturnType<typeof callArea>; identity?: bigint } = {},
): LibraryCaller<M> {
  const client = on(backend, () => connect<M>('calc', { area, ...CELLS }));
  const words = channelWords(area, 'calc');
  const raw = words.raw(identity, Y_SLOT);
  const epoch = raw.open(names) as number;
  return { client, words, raw, epoch };
}

export interface LibraryServer {
  readonly server: Server;
  readonly words: ChannelWords;
  readonly raw: RawChannel;
  readonly epoch: number;
  /** Serves what is there now. */
  serveNow(): number;
}

/** The library serves, Y calls. */
export function libraryServes(
  backend: Backend,
  methods: Methods,
  options: { readonly area?: ReturnType<typeof callArea>; readonly nested?: boolean } = {},
): LibraryServer {
  const { area = callArea(backend), nested } = options;
  const server = on(backend, () => serve('calc', methods, { area, ...CELLS, ...(nested !== undefined && { nested }) }));
  const words = channelWords(area, 'calc');
  return {
    server,
    words,
    raw: words.raw(Y, Y_SLOT),
    epoch: words.word('epoch'),
    serveNow: () => server.run({ timeout: 0 }),
  };
}
