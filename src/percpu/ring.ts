// Records of bytes that a thread writes into its own block and any thread takes out (docs/ABI.md, clause 60). The writer asks
// nobody: it looks at its own words and at a head that only grows, copies the bytes and publishes them by one store of tail. What it
// leaves when it dies is whole, and the next owner of the slot goes on behind it.

import { CoexistError, invalid, show } from '../abi/errors.js';
import { longestRecord, RECORD_BYTES, RECORD_PAD, RING, RING_BYTES, recordSize } from '../abi/ring.js';
import { dispose } from '../host/dispose.js';
import { type Registration, register } from '../thread/registration.js';
import type { RingSteps } from '../wasm/ring.js';
import { type DrainOptions, RingReader, type RingReaderOptions, type RingStats } from './ring-reader.js';
import type { RingRecord } from './ring-records.js';

/** What becomes of a record for which there is no room: the oldest make room for it, or it is dropped itself. */
export type RingPolicy = 'overwrite' | 'drop-newest';

export interface RingOptions extends RingReaderOptions {
  /** This writer's, nobody else's. Default 'drop-newest'. */
  readonly policy?: RingPolicy | undefined;
  /** Name of the library, as in `register()`. */
  readonly holder?: string | undefined;
}

const DISPOSED = -1;

/**
 * A named ring in every thread's block. Constructing it registers this thread, disposing it unregisters; `Ring.reader()` only reads.
 * After the bounded buffers per CPU of librseq's selftests, and BSD's bip buffer.
 * @throws COEXIST_EKIND (also: another capacity), COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class Ring {
  readonly name: string;
  /** Bytes for records; each takes its own, rounded up to 16, and 16 more. */
  readonly capacity: number;
  readonly policy: RingPolicy;
  readonly slot: number;
  /** Bytes of the longest record: capacity / 2 - 16. */
  readonly longest: number;
  readonly #reader: RingReader;
  readonly #registration: Registration;
  readonly #steps: RingSteps;
  /** Of the ring alone: whatever a subclass of Uint8Array says about its length, it writes into nothing else. */
  readonly #data: Uint8Array<SharedArrayBuffer>;
  readonly #u32: Uint32Array<SharedArrayBuffer>;
  readonly #overwrites: boolean;
  readonly #generation: number;
  #at: number;
  /** How far tail may go: a whole ring beyond head, as that was when it was last looked at. It only grows. */
  #end: number;

  /** Reads the rings of this name without registering this thread. @throws as the constructor, but for `register()` */
  static reader(name: string, options?: RingReaderOptions): RingReader {
    return new RingReader(name, options);
  }

  constructor(name: string, options: RingOptions = {}) {
    const { policy = 'drop-newest', holder, area } = options;
    if (policy !== 'overwrite' && policy !== 'drop-newest') {
      throw invalid('policy', policy, '"overwrite" or "drop-newest"');
    }
    const reader = new RingReader(name, options);
    const { steps, u8, u32 } = reader.parts;
    this.#reader = reader;
    this.#steps = steps;
    this.#u32 = u32;
    this.#overwrites = policy === 'overwrite';
    this.name = name;
    this.capacity = reader.capacity;
    this.longest = longestRecord(reader.capacity);
    this.policy = policy;
    this.#registration = register({ name: holder, area });
    this.slot = this.#registration.slot;
    this.#at = reader.parts.at(this.slot);
    this.#data = new Uint8Array(u8.buffer, this.#at + RING_BYTES, reader.capacity);
    this.#generation = this.#registration.generation;
    this.#end = steps.head(this.#at) + this.capacity;
  }

  /**
   * Writes one record: its first `length` bytes, all by default. True if it is stored, false if it was dropped for want of room, which
   * only happens under 'drop-newest'. hot: owner-only plain accesses, one wasm call
   * @throws COEXIST_EINVAL (also: more than `longest` bytes), COEXIST_EUNREGISTERED after disposal; nothing was counted then
   */
  write(bytes: Uint8Array, length?: number): boolean {
    const at = this.#at;
    if (at === DISPOSED) throw disposed(this.name);
    if (length !== undefined) return this.write(firstOf(bytes, length));
    const size = bytes instanceof Uint8Array ? bytes.length : foreignLength(bytes);
    if (size > this.longest) throw this.#tooLong(size);

    const u32 = this.#u32;
    const capacity = this.capacity;
    const low = u32[(at + RING.tail.offset) >>> 2] as number;
    // Exact below 2^57: positions are multiples of 16.
    const tail = low + (u32[(at + RING.tail.offset + 4) >>> 2] as number) * 2 ** 32;
    let place = low & (capacity - 1);
    let need = recordSize(size);
    if (place + need > capacity) need += capacity - place;
    if (tail + need > this.#end && !this.#hasRoom(at, tail, need)) return false;
    if (need > recordSize(size)) {
      u32[(at + RING_BYTES + place) >>> 2] = RECORD_PAD;
      place = 0;
    }
    this.#data.set(bytes, place + RECORD_BYTES);
    this.#steps.commit(at, at + RING_BYTES + place, size, this.#generation, need);
    return true;
  }

  /** As `RingReader.drain()`; works after disposal too, as all that reads. */
  drain(callback: (record: RingRecord) => void, options?: DrainOptions): number {
    return this.#reader.drain(callback, options);
  }

  /** As `RingReader.take()`. */
  take(options?: DrainOptions): RingRecord[] {
    return this.#reader.take(options);
  }

  /** As `RingReader.peek()`. */
  peek(options?: Pick<DrainOptions, 'slot'>): RingRecord[] {
    return this.#reader.peek(options);
  }

  /** As `RingReader.stats()`. */
  stats(): RingStats {
    return this.#reader.stats();
  }

  /** Unregisters; what was written stays. Does nothing the second time. */
  dispose(): void {
    this.#at = DISPOSED;
    this.#registration[dispose]();
  }

  [dispose](): void {
    this.dispose();
  }

  // Off the hot path: looks where head is now, moves it where that is allowed, or counts what is dropped.
  #hasRoom(at: number, tail: number, need: number): boolean {
    const { capacity } = this;
    this.#end = capacity + (this.#overwrites ? this.#steps.make_room(at, capacity, need) : this.#steps.head(at));
    if (tail + need <= this.#end) return true;
    this.#steps.drop(at);
    return false;
  }

  #tooLong(size: number): CoexistError {
    const remedy = 'Split it, or make the ring larger; nothing was written or counted.';
    return invalid('length', size, `at most ${this.longest}`, remedy);
  }
}

function firstOf(bytes: Uint8Array, length: number): Uint8Array {
  const most = bytes instanceof Uint8Array ? bytes.length : foreignLength(bytes);
  if (!(Number.isInteger(length) && length >= 0 && length <= most)) {
    throw invalid('length', length, `an integer from 0 to ${most}`);
  }
  return length === most ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, length);
}

// Of another realm, or none at all.
function foreignLength(bytes: Uint8Array): number {
  if (Object.prototype.toString.call(bytes) === '[object Uint8Array]' && ArrayBuffer.isView(bytes)) return bytes.length;
  throw invalid('bytes', bytes, 'a Uint8Array');
}

function disposed(name: string): CoexistError {
  return new CoexistError('COEXIST_EUNREGISTERED', `the ring ${show(name)} was disposed of`, {
    found: 'a disposed ring',
    expected: 'a live one',
    remedy: 'Construct a new one.',
  });
}
