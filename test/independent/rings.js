// Rings of the independent implementation, written from clauses 37, 38, 42, 50 and 60 of the contract alone. Plain JavaScript, `Atomics`
// only, byte by byte. Numbers in brackets are clauses.

import { attach, layout, lookup, register } from './implementation.js';
import { mutex } from './locks.js';

const { header } = layout;
// [60]
const HEAD_BYTES = 128;
const DELIVERED = 16;
const HEAD = 24;
const ATTEMPTED = 64;
const TAIL = 72;
const PAD = 0xffffffff;

const fail = (code, message) => {
  throw Object.assign(new Error(message), { code: `COEXIST_${code}` });
};
const takes = (length) => 16 + Math.ceil(length / 16) * 16; // [60]

/** [60] The rings of a name, in an area. Only `write` needs a registration. */
export function ring(name, { capacity = 4096, overwrite = false, writes = true } = {}, area = undefined) {
  const { offset } = lookup(area, { name, kind: 'ring', version: 1, size: HEAD_BYTES + capacity });
  const { buffer } = area ?? attach();
  const words = new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
  const longs = new BigInt64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
  const bytes = new Uint8Array(buffer);
  const get = (field) => Atomics.load(words, field / 4);
  const ringAt = (slot) => get(header.block_offset) + slot * get(header.block_stride) + offset;
  const long = (slot, field) => Atomics.load(longs, (ringAt(slot) + field) / 8);
  const put = (slot, field, value) => Atomics.store(longs, (ringAt(slot) + field) / 8, value);
  const casHead = (slot, from, to) => Atomics.compareExchange(longs, (ringAt(slot) + HEAD) / 8, from, to) === from;
  const placeOf = (position) => Number(position % BigInt(capacity));
  const registration = writes ? register({ area }) : undefined;

  /** The record at a position, and the position behind it; undefined where none can be. */
  function recordAt(slot, position, tail) {
    const place = placeOf(position);
    const at = ringAt(slot) + HEAD_BYTES + place;
    const length = Atomics.load(words, at / 4);
    if (length === PAD) return { next: position + BigInt(capacity - place) };
    const next = position + BigInt(takes(length));
    if (next > tail || place + takes(length) > capacity) return undefined;
    return {
      next,
      record: {
        slot,
        generation: Atomics.load(words, at / 4 + 1),
        sequence: Number(Atomics.load(longs, at / 8 + 1)),
        bytes: bytes.slice(at + 16, at + 16 + length),
      },
    };
  }

  function drainSlot(slot) {
    const records = [];
    const lock = mutex({ buffer }, ringAt(slot)).lock({ timeout: 10_000 });
    if (lock.ownerDied) lock.markConsistent();
    for (;;) {
      const head = long(slot, HEAD);
      const tail = long(slot, TAIL);
      if (head >= tail) break;
      const found = recordAt(slot, head, tail);
      // One by one: what was copied counts only if head was still there.
      if (!casHead(slot, head, found?.next ?? tail) || found?.record === undefined) continue;
      put(slot, DELIVERED, long(slot, DELIVERED) + 1n);
      records.push(found.record);
    }
    lock.unlock();
    return records;
  }

  return {
    slot: registration?.slot,
    write(content) {
      const { slot, generation } = registration;
      const size = takes(content.length);
      if (content.length > capacity / 2 - 16) fail('EINVAL', 'a record that never fits');
      const attempted = long(slot, ATTEMPTED);
      const tail = long(slot, TAIL);
      const place = placeOf(tail);
      const pad = place + size > capacity ? capacity - place : 0;
      for (;;) {
        const head = long(slot, HEAD);
        if (tail + BigInt(pad + size) - head <= BigInt(capacity)) break;
        if (!overwrite) {
          put(slot, ATTEMPTED, attempted + 1n);
          return false;
        }
        casHead(slot, head, recordAt(slot, head, tail)?.next ?? tail);
      }
      const start = ringAt(slot) + HEAD_BYTES;
      if (pad > 0) Atomics.store(words, (start + place) / 4, PAD);
      const at = start + (pad > 0 ? 0 : place);
      for (const [k, byte] of content.entries()) Atomics.store(bytes, at + 16 + k, byte);
      Atomics.store(words, at / 4, content.length);
      Atomics.store(words, at / 4 + 1, generation);
      Atomics.store(longs, at / 8 + 1, attempted);
      put(slot, ATTEMPTED, attempted + 1n);
      put(slot, TAIL, tail + BigInt(pad + size));
      return true;
    },
    take() {
      const slots = Math.min(get(header.slot_high_water), get(header.slot_capacity));
      return Array.from({ length: slots }, (_, slot) => drainSlot(slot)).flat();
    },
    /** [attempted, delivered] of a slot. */
    books: (slot) => [long(slot, ATTEMPTED), long(slot, DELIVERED)],
    dispose: () => registration?.unregister(),
  };
}
