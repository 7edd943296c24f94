// The directory of named objects (docs/ABI.md, clauses 33 to 37): an append-only table that any copy in any thread can look
// up and extend. The states of an entry are in src/abi/directory.ts.

import {
  ENTRY,
  ENTRY_BYTES,
  ENTRY_READY,
  KINDS,
  type KindName,
  LIBRARY_PREFIX,
  NAME_BYTES,
  type Range,
} from '../abi/directory.js';
import { CoexistError, invalid, show } from '../abi/errors.js';
import { word } from '../abi/field.js';
import { HEADER } from '../abi/header.js';
import { host } from '../host/host.js';
import { ENTRY_DONE, ENTRY_LOST } from '../wasm/transitions.js';
import type { AreaCore } from './core.js';
import { high, identityIn, low } from './thread-anchor.js';

const DEFAULT_TIMEOUT_MS = 5000;
/** How long a waiter sleeps between two looks at the creator it waits for. */
const LOOK_MS = 20;

export interface EntryRequest {
  readonly name: string;
  readonly kind: KindName;
  readonly version: number;
  /** Bytes. */
  readonly size: number;
  readonly flags: number;
}

export interface Entry extends EntryRequest {
  readonly index: number;
  /** Heap: absolute; key: within the block. */
  readonly offset: number;
}

/**
 * The entry of this name, created if there is none.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT
 */
export function lookup(core: AreaCore, request: EntryRequest, timeout = DEFAULT_TIMEOUT_MS): Entry {
  const known = core.entries.get(request.name) as Entry | undefined;
  if (known !== undefined) return matching(known, request);
  const name = encode(request.name);
  const deadline = host.now() + timeout;
  for (let index = 0; index < core.geometry.directoryCapacity; index++) {
    const at = core.geometry.directoryOffset + index * ENTRY_BYTES;
    resolve(core, at, request, name, deadline);
    if (!sameName(core, at, name)) continue;
    const entry = read(core, index, request.name);
    core.entries.set(request.name, entry);
    return matching(entry, request);
  }
  throw noSpace(request, `all ${core.geometry.directoryCapacity} directory entries are taken`);
}

/** The names of the libraries of this area, in the order of their bits (clause 21). Skips what is unfinished. */
export function libraries(core: AreaCore): string[] {
  const names: string[] = [];
  for (let index = 0; index < core.geometry.directoryCapacity; index++) {
    const at = core.geometry.directoryOffset + index * ENTRY_BYTES;
    if (Atomics.load(core.views.i64, at >>> 3) === 0n) break;
    if (field(core, at, 'state') !== ENTRY_READY || field(core, at, 'kind') !== KINDS.library.number) continue;
    names.push(decode(core, at).slice(LIBRARY_PREFIX.length));
  }
  return names;
}

/** The finished entries of a kind, in their order. Makes nothing and waits for nothing. */
export function entriesOf(core: AreaCore, kind: KindName): Entry[] {
  const found: Entry[] = [];
  for (let index = 0; index < core.geometry.directoryCapacity; index++) {
    const at = core.geometry.directoryOffset + index * ENTRY_BYTES;
    if (Atomics.load(core.views.i64, at >>> 3) === 0n) break;
    if (field(core, at, 'state') !== ENTRY_READY || field(core, at, 'kind') !== KINDS[kind].number) continue;
    found.push(read(core, index, decode(core, at)));
  }
  return found;
}

/** The entry at this place, which is a finished one. */
export function entryAt(core: AreaCore, index: number): Entry {
  return read(core, index, decode(core, core.geometry.directoryOffset + index * ENTRY_BYTES));
}

// Ends when the entry is ready, whoever made it so.
function resolve(core: AreaCore, at: number, request: EntryRequest, name: Uint8Array, deadline: number): void {
  const { i32, i64 } = core.views;
  const state = (at + ENTRY.state.offset) >>> 2;
  for (;;) {
    const creator = Atomics.load(i64, at >>> 3);
    const seen = Atomics.load(i32, state);
    if (creator !== 0n && seen === ENTRY_READY) return;
    // Free; or this thread's own, which it was cut in; or a dead thread's: ours to make.
    if (creator === 0n || creator === identityIn(core.anchor) || isDead(core, creator)) {
      // A creator may have finished between the first look and its death.
      if (creator !== 0n && Atomics.load(i32, state) === ENTRY_READY) return;
      if (create(core, at, creator, request, name)) return;
      continue;
    }
    const left = deadline - host.now();
    if (left <= 0) {
      throw new CoexistError('COEXIST_ETIMEDOUT', `the directory entry before ${show(request.name)} stays unfinished`, {
        found: `creator ${creator}`,
        expected: 'its creator to finish it, or to be provably dead',
        remedy: 'Let the creating thread run on, or end it; then try again.',
      });
    }
    Atomics.wait(i32, state, seen, Math.min(left, LOOK_MS));
  }
}

// True when it made the entry; false when another thread was faster.
function create(core: AreaCore, at: number, was: bigint, request: EntryRequest, name: Uint8Array): boolean {
  const kind = KINDS[request.kind];
  const own = identityIn(core.anchor);
  const { used, base, limit } = rangeOf(core, kind.range);
  if (used !== 0 && Atomics.load(core.views.u32, word(HEADER.header_feature_size)) < used + 4) {
    throw noSpace(request, 'this area was made without room for named objects');
  }
  const where = kind.range === 'heap' ? 'the heap' : 'a block';
  const room = `${request.size} bytes do not fit into what is left of the ${limit} bytes of ${where}`;
  // Before the transition, which counts modulo 2^32.
  if (used !== 0 && request.size > limit) throw noSpace(request, room);
  const words = new Int32Array(NAME_BYTES / 4);
  new Uint8Array(words.buffer).set(name);
  const outcome = core.transitions.create_entry(
    at,
    low(was),
    high(was),
    low(own),
    high(own),
    kind.number,
    request.version,
    request.size,
    request.flags,
    used,
    base,
    limit,
    name.length,
    ...words,
  );
  if (outcome === ENTRY_LOST || outcome === ENTRY_DONE) return outcome === ENTRY_DONE;
  throw noSpace(request, room);
}

/** Which header word says how much is taken, where the space begins, and how long it is; offsets in a block are relative. */
function rangeOf(core: AreaCore, range: Range): { used: number; base: number; limit: number } {
  const { blockStride, heapOffset, heapSize } = core.geometry;
  if (range === 'block') return { used: HEADER.block_used.offset, base: 0, limit: blockStride };
  if (range === 'heap') return { used: HEADER.heap_used.offset, base: heapOffset, limit: heapSize };
  return { used: 0, base: 0, limit: 0 };
}

function isDead(core: AreaCore, id: bigint): boolean {
  return host.liveness(id, identityIn(core.anchor)) === 'dead';
}

function field(core: AreaCore, at: number, name: keyof typeof ENTRY): number {
  return Atomics.load(core.views.u32, (at + ENTRY[name].offset) >>> 2);
}

function read(core: AreaCore, index: number, name: string): Entry {
  const at = core.geometry.directoryOffset + index * ENTRY_BYTES;
  const number = field(core, at, 'kind');
  const kind = Object.entries(KINDS).find(([, row]) => row.number === number)?.[0] ?? `kind ${number}`;
  return {
    name,
    kind: kind as KindName,
    index,
    version: field(core, at, 'version'),
    size: field(core, at, 'size'),
    offset: field(core, at, 'offset'),
    flags: field(core, at, 'flags'),
  };
}

function matching(entry: Entry, request: EntryRequest): Entry {
  const differs = (['kind', 'version', 'size', 'flags'] as const).find((key) => entry[key] !== request[key]);
  if (differs === undefined) return entry;
  throw new CoexistError(
    'COEXIST_EKIND',
    `${show(request.name)} has ${differs} ${entry[differs]}, expected ${request[differs]}`,
    {
      found: entry,
      expected: request,
      remedy: 'Use another name, or the same kind, size and version in every thread and copy.',
    },
  );
}

function encode(name: unknown): Uint8Array {
  const bytes = typeof name === 'string' && !/\p{Surrogate}/u.test(name) ? host.encodeUtf8(name) : undefined;
  if (bytes !== undefined && bytes.length > 0 && bytes.length <= NAME_BYTES) return bytes;
  throw invalid(
    'name',
    name,
    `a string of 1 to ${NAME_BYTES} bytes of UTF-8`,
    'Choose a name such as "my-library/requests".',
  );
}

// Plain loads: the name was written before the state became ready, and never again (clause 33).
function sameName(core: AreaCore, at: number, name: Uint8Array): boolean {
  const { u8 } = core.views;
  const start = at + ENTRY.name.offset;
  return field(core, at, 'name_length') === name.length && name.every((byte, k) => u8[start + k] === byte);
}

function decode(core: AreaCore, at: number): string {
  const start = at + ENTRY.name.offset;
  return host.decodeUtf8(core.views.u8.slice(start, start + field(core, at, 'name_length')));
}

function noSpace(request: EntryRequest, why: string): CoexistError {
  return new CoexistError('COEXIST_ENOSPC', `no room for ${show(request.name)}: ${why}`, {
    found: request.size,
    expected: 'room in the directory, in the blocks and in the heap',
    remedy:
      KINDS[request.kind].range === 'heap'
        ? 'Use fewer named objects, or place them in memory of your own.'
        : 'Use fewer or smaller objects, or start the main thread with a larger COEXIST_BLOCK.',
  });
}
