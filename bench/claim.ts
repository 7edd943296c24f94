// Claiming a slot where all but the last are taken: in 16384 slots, in 64, and by reading all owner words. The
// owners are made up by hand, of the kind whose death nobody can prove, so that no sweep frees them.

import { type Area, attach, createArea } from 'coexist';
import { interleave, loadCore, row, type Topic } from './kit.js';

const CLAIMS = 20_000;
const SCANS = 10;
const MANY = 16384;
const FEW = 64;

type Core = typeof import('../src/core.js');

/** Bit 61: whether such an owner lives is unknown (clause 15). */
const MADE_UP = 1n << 61n;

function fill({ HEADER, SLOT, word }: Core, area: Area): void {
  const { slotOffset, slotStride, slotCapacity } = area.geometry;
  const u32 = new Uint32Array(area.buffer);
  const i64 = new BigInt64Array(area.buffer);
  for (let i = 0; i < slotCapacity - 1; i++) {
    Atomics.store(i64, (slotOffset + i * slotStride + SLOT.owner.offset) / 8, MADE_UP | BigInt(i + 1));
  }
  Atomics.store(u32, word(HEADER.slot_high_water), slotCapacity);
  Atomics.store(u32, word(HEADER.slot_hint), slotCapacity - 1);
}

/** Claims the last slot and frees it, over and over. */
function claimer({ coreOf }: Core, area: Area): (times: number) => number {
  const core = coreOf(area.buffer);
  const { transitions: step, anchor } = core;
  const [, , low, high] = anchor as unknown as [number, number, number, number];
  const last = area.geometry.slotCapacity - 1;
  const at = core.slotAt(last);
  return (times) => {
    let claimed = 0;
    for (let k = 0; k < times; k++) {
      claimed += step.claim(low, high, 0, 0);
      step.release(at, last, low, high);
    }
    if (claimed !== last * times) throw new Error(`claimed another slot than ${last}`);
    return claimed;
  };
}

/** What a table without a hint does, in its cheapest form: 32-bit loads, a 64-bit CAS on the first free slot. */
function scanner({ SLOT }: Core, area: Area): (times: number) => number {
  const { slotOffset, slotStride, slotCapacity } = area.geometry;
  const i32 = new Int32Array(area.buffer);
  const i64 = new BigInt64Array(area.buffer);
  const own = MADE_UP | BigInt(MANY + 1);
  const scan = (): number => {
    for (let i = 0; i < slotCapacity; i++) {
      const at = slotOffset + i * slotStride + SLOT.owner.offset;
      if (Atomics.load(i32, at >>> 2) !== 0) continue;
      if (Atomics.compareExchange(i64, at >>> 3, 0n, own) === 0n) return i;
    }
    return -1;
  };
  return (times) => {
    let claimed = 0;
    for (let k = 0; k < times; k++) {
      const i = scan();
      claimed += i;
      Atomics.store(i64, (slotOffset + i * slotStride + SLOT.owner.offset) >>> 3, 0n);
    }
    if (claimed !== (slotCapacity - 1) * times) throw new Error(`claimed another slot than ${slotCapacity - 1}`);
    return claimed;
  };
}

async function full() {
  const core = await loadCore();
  attach();
  const [many, few, scanned] = [MANY, FEW, MANY].map((slots) => {
    const area = createArea({ slots, blockBytes: 4096, heapBytes: 0 });
    fill(core, area);
    return area;
  }) as [Area, Area, Area];
  const times = await interleave({
    many: { ops: CLAIMS, loop: claimer(core, many) },
    few: { ops: CLAIMS, loop: claimer(core, few) },
    scan: { ops: SCANS, loop: scanner(core, scanned) },
  });
  return [
    row(`claim with ${MANY} slots full but the last, against ${FEW}`, times.many, times.few, { atMost: 2 }),
    row(`a scan of ${MANY} owner words against that claim`, times.scan, times.many, { atLeast: 100 }),
  ];
}

export const claim: Topic = { full };
