// Histograms and gauges of the independent implementation, written from clauses 37 to 41, 58 and 59 of the contract alone. Plain
// JavaScript, `Atomics` only. Numbers in brackets are clauses.

import { attach, layout, liveness, lookup, register } from './implementation.js';

const { header, slot } = layout;

/** Views of an area, and where its parts lie [14]. */
function partsOf(area) {
  const { buffer } = area ?? attach();
  const words = new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
  const longs = new BigInt64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
  const get = (field) => Atomics.load(words, field / 4);
  const slotAt = (i) => get(header.slot_offset) + i * get(header.slot_stride);
  return {
    words,
    longs,
    blockAt: (i) => get(header.block_offset) + i * get(header.block_stride),
    highWater: () => Math.min(get(header.slot_high_water), get(header.slot_capacity)),
    owner: (i) => Atomics.load(longs, (slotAt(i) + slot.owner) / 8),
    generation: (i) => Atomics.load(words, (slotAt(i) + slot.generation) / 4),
  };
}

const fail = (code, message) => {
  throw Object.assign(new Error(message), { code: `COEXIST_${code}` });
};

/** [58] */
function bucketOf(value, p, buckets) {
  const v = Math.floor(value);
  if (v < 2 ** p) return Math.min(v, buckets - 1);
  let e = p;
  while (v >= 2 ** (e + 1)) e++;
  return Math.min((e - p) * 2 ** p + Math.floor(v / 2 ** (e - p)), buckets - 1);
}

/** [58] A histogram; its counts are an array with one BigInt for each bucket. */
export function histogram(name, { buckets = 128, precision = 2 } = {}, area = undefined) {
  const { offset } = lookup(area, { name, kind: 'histogram', version: precision, size: 8 * buckets });
  const parts = partsOf(area);
  const registration = register({ area });
  const bucketAt = (i, bucket) => (parts.blockAt(i) + offset) / 8 + bucket;
  let live = true;
  return {
    record(value) {
      if (!live) fail('EUNREGISTERED', 'this histogram is disposed');
      if (!Number.isFinite(value) || value < 0) fail('EINVAL', 'a histogram counts finite numbers from 0 on');
      Atomics.add(parts.longs, bucketAt(registration.slot, bucketOf(value, precision, buckets)), 1n);
    },
    counts() {
      const all = Array(buckets).fill(0n);
      for (let i = 0, end = parts.highWater(); i < end; i++) {
        for (let bucket = 0; bucket < buckets; bucket++) all[bucket] += Atomics.load(parts.longs, bucketAt(i, bucket));
      }
      return all;
    },
    dispose() {
      if (live) registration.unregister();
      live = false;
    },
  };
}

/** [59] */
export function gauge(name, area = undefined) {
  const { offset } = lookup(area, { name, kind: 'gauge', version: 1, size: 16, flags: 1 });
  const parts = partsOf(area);
  const registration = register({ area });
  const stampAt = (i) => (parts.blockAt(i) + offset) / 4;
  const valueAt = (i) => (parts.blockAt(i) + offset) / 8 + 1;
  const pair = new DataView(new ArrayBuffer(8));
  let live = true;

  const own = registration.slot;
  if (Atomics.load(parts.words, stampAt(own)) !== registration.generation) {
    Atomics.store(parts.longs, valueAt(own), 0n); // [40] cleared, then stamped
    Atomics.store(parts.words, stampAt(own), registration.generation);
  }

  const read = (i) => {
    for (;;) {
      const owner = parts.owner(i);
      const generation = parts.generation(i);
      if (owner <= 0n || Atomics.load(parts.words, stampAt(i)) !== generation) return undefined;
      pair.setBigInt64(0, Atomics.load(parts.longs, valueAt(i)));
      if (liveness(owner) === 'dead') return undefined;
      if (parts.owner(i) === owner && parts.generation(i) === generation) {
        return { slot: i, generation, value: pair.getFloat64(0) };
      }
    }
  };
  return {
    set(value) {
      if (!live) fail('EUNREGISTERED', 'this gauge is disposed');
      if (!Number.isFinite(value)) fail('EINVAL', 'a gauge is a finite number');
      pair.setFloat64(0, value);
      Atomics.store(parts.longs, valueAt(own), pair.getBigInt64(0));
    },
    values: () => Array.from({ length: parts.highWater() }, (_, i) => read(i)).filter((row) => row !== undefined),
    dispose() {
      if (live) registration.unregister();
      live = false;
    },
  };
}
