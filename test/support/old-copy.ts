// An implementation of the contract as an older version might be: it knows the slot up to generation, no block, no directory,
// no hint, and works on any area that has at least that. Plain JavaScript, one Atomics operation after the other. With it,
// areas as creators of other versions would lay them out.

import { HEADER, HEADER_BYTES, SLOT, word } from 'coexist/abi';

export interface HandMade {
  /** Bytes of the slot struct that the creator knows. */
  readonly featureSize: number;
  readonly slotStride?: number;
  readonly slots?: number;
  readonly headerFeatureSize?: number;
  readonly wasm?: boolean;
  /** What every byte of slots, blocks and unknown header fields holds, owner words aside. Default 0xee. */
  readonly dirt?: number;
}

const BLOCK = 4096;
const ENTRIES = 16;
// Different for every area of a process, as the anchors of private areas need it.
let lastAreaId = 0x0ddba110;

/** An area made by hand: slots, directory and blocks, no heap. */
export function handMadeArea(options: HandMade): WebAssembly.Memory | SharedArrayBuffer {
  const { featureSize, slotStride = 128, slots = 4, headerFeatureSize = 84, wasm = false, dirt = 0xee } = options;
  const directoryOffset = HEADER_BYTES + slots * slotStride;
  const blockOffset = Math.ceil((directoryOffset + ENTRIES * 128) / 4096) * 4096;
  const pages = Math.ceil((blockOffset + slots * BLOCK) / 65536);
  const memory = wasm ? new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }) : undefined;
  const buffer = (memory?.buffer ?? new SharedArrayBuffer(pages * 65536)) as SharedArrayBuffer;
  const u8 = new Uint8Array(buffer);
  u8.fill(dirt, 84, HEADER_BYTES);
  u8.fill(dirt, HEADER_BYTES, directoryOffset);
  u8.fill(dirt, blockOffset);
  const values: Record<keyof typeof HEADER, number> = {
    magic: 0x51455352,
    abi_major: 1,
    feature_size: featureSize,
    state: 2,
    area_id: ++lastAreaId,
    conflict: 0,
    slot_offset: HEADER_BYTES,
    slot_stride: slotStride,
    slot_capacity: slots,
    slot_high_water: 0,
    block_offset: blockOffset,
    block_stride: BLOCK,
    directory_offset: directoryOffset,
    directory_capacity: ENTRIES,
    heap_offset: directoryOffset + ENTRIES * 128,
    heap_size: 0,
    reserved: 0,
    heap_used: 0,
    block_used: 0,
    slot_hint: 0,
    header_feature_size: headerFeatureSize,
  };
  const u32 = new Uint32Array(buffer);
  for (const [name, value] of Object.entries(values)) u32[word(HEADER[name as keyof typeof HEADER])] = value;
  u8.fill(dirt, headerFeatureSize, 84);
  for (let i = 0; i < slots; i++) {
    new BigInt64Array(buffer)[(HEADER_BYTES + i * slotStride + SLOT.owner.offset) >>> 3] = 0n;
  }
  return memory ?? buffer;
}

const shelf = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, unknown>;

function define(key: string, value: unknown): unknown {
  Reflect.defineProperty(shelf, Symbol.for(key), { value });
  return shelf[Symbol.for(key)];
}

function identity(): bigint {
  const fs = process.getBuiltinModule('node:fs');
  const tid = BigInt(fs.readlinkSync('/proc/thread-self').split('/').at(-1) as string);
  const stat = fs.readFileSync('/proc/thread-self/stat', 'utf8');
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string;
  return (BigInt(start) << 22n) | tid;
}

/** The old copy on a private area; its handles are slot numbers. */
export function oldCopy(memory: { buffer: ArrayBufferLike } | SharedArrayBuffer) {
  const buffer = ('buffer' in memory ? memory.buffer : memory) as SharedArrayBuffer;
  const i32 = new Int32Array(buffer);
  const i64 = new BigInt64Array(buffer);
  const u8 = new Uint8Array(buffer);
  const header = (name: keyof typeof HEADER): number => Atomics.load(i32, word(HEADER[name])) >>> 0;
  const at = (slot: number): number => header('slot_offset') + slot * header('slot_stride');
  const index = (slot: number, field: { offset: number }): number => (at(slot) + field.offset) >>> 2;
  const owner = (slot: number): number => (at(slot) + SLOT.owner.offset) >>> 3;

  const thread = (define('coexist.thread.v1', Int32Array.of(-1, 0, ...halves(identity()))) as Int32Array).slice(2);
  const id = (BigInt(thread[1] as number) << 32n) | BigInt((thread[0] as number) >>> 0);
  const key = `coexist.thread.v1.${header('area_id').toString(16).padStart(8, '0')}`;
  const anchor = define(key, Int32Array.of(-1, 0, ...thread)) as Int32Array;

  function claim(): number {
    for (let slot = 0; slot < header('slot_capacity'); slot++) {
      if (Atomics.load(i64, owner(slot)) !== 0n) continue;
      const water = header('slot_high_water');
      if (water <= slot) Atomics.compareExchange(i32, word(HEADER.slot_high_water), water, slot + 1);
      if (Atomics.compareExchange(i64, owner(slot), 0n, -id) !== 0n) continue;
      const generation = Atomics.load(i32, index(slot, SLOT.generation));
      for (let k = 0; k < header('feature_size'); k++) {
        if (k < 32 || (k >= 44 && (k < 56 || k >= 60))) Atomics.store(u8, at(slot) + k, 0);
      }
      Atomics.store(i32, index(slot, SLOT.cpu_id), -1);
      Atomics.store(i32, index(slot, SLOT.mm_cid), slot);
      Atomics.store(i32, index(slot, SLOT.generation), (generation + 1) | 0 || 1);
      Atomics.store(i64, owner(slot), id);
      anchor[0] = slot;
      return slot;
    }
    throw new Error('full');
  }

  return {
    register(): number {
      const known = anchor[0] as number;
      const slot = known >= 0 && Atomics.load(i64, owner(known)) === id ? known : claim();
      if (Atomics.load(i32, index(slot, SLOT.cpu_id)) >= 0) {
        Atomics.add(i32, index(slot, SLOT.refcount), 1);
      } else {
        Atomics.store(i32, index(slot, SLOT.refcount), 1);
        Atomics.store(i32, index(slot, SLOT.cpu_id_start), slot);
        Atomics.store(i32, index(slot, SLOT.cpu_id), slot);
      }
      return slot;
    },
    unregister(slot: number): void {
      if (Atomics.load(i32, index(slot, SLOT.refcount)) > 1) {
        Atomics.sub(i32, index(slot, SLOT.refcount), 1);
        return;
      }
      Atomics.store(i32, index(slot, SLOT.cpu_id), -1);
      Atomics.store(i32, index(slot, SLOT.cpu_id_start), 0);
      Atomics.store(i32, index(slot, SLOT.refcount), 0);
      anchor[0] = -1;
      Atomics.store(i64, owner(slot), 0n);
    },
  };
}

function halves(id: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, id)), Number(BigInt.asIntN(32, id >> 32n))];
}
