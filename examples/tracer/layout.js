// What a span leaves in the ring: a record when it starts and one when it ends. Records say which span they belong to; the library
// sees to it that each is whole, and says which thread wrote it.
// @ts-check

/** 32-bit words. The tracer that wrote it: two copies of this library may trace in one thread. */
const TRACER = 0;
/** Which of its spans, from 0 on, modulo 2^32. */
const NUMBER = 1;
/** A 64-bit float: when it started, ms since the epoch; of its end, how long it took, ms. */
const TIME = 2;
/** A record that ends here is an end. */
const NAME_HASH = 4;
/** The name as it is kept: as many bytes as there is room for. */
const NAME = 5;

const END_BYTES = NAME_HASH * 4;
const START_BYTES = 64;
export const NAME_BYTES = START_BYTES - NAME * 4;

/** What the ring adds to a record, and what it rounds it up to. */
const RECORD_BYTES = 16;
/**
 * Bytes that the last spans take at most. Older spans may end between them, once each: only the last ones write their end at all. What
 * is left empty where the ring begins anew is less than one record.
 */
const BYTES_PER_SPAN = START_BYTES + RECORD_BYTES + 2 * (END_BYTES + RECORD_BYTES);

/**
 * Capacity of a ring that holds the last `size` spans of a thread.
 * @param {number} size
 */
export const capacityFor = (size) => 2 ** Math.ceil(Math.log2((size + 1) * BYTES_PER_SPAN));

/**
 * A record as it is read.
 * @typedef {{ tracer: number, number: number, time: number, start: { name: string, nameHash: number } | undefined }} Note
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Makes records in one place, one after the other.
 * @param {number} tracer
 */
export function createMaker(tracer) {
  const words = new Uint32Array(START_BYTES / 4);
  const floats = new Float64Array(words.buffer);
  const bytes = new Uint8Array(words.buffer);
  const name = bytes.subarray(NAME * 4);
  const end = bytes.subarray(0, END_BYTES);
  words[TRACER] = tracer;
  return {
    /** @type {(number: number, time: number, title: string) => Uint8Array} */
    start(number, time, title) {
      words[NUMBER] = number;
      floats[TIME / 2] = time;
      words[NAME_HASH] = hashOf(encoder.encode(title));
      return bytes.subarray(0, NAME * 4 + encoder.encodeInto(title, name).written);
    },
    /** @type {(number: number, duration: number) => Uint8Array} */
    end(number, duration) {
      words[NUMBER] = number;
      floats[TIME / 2] = duration;
      return end;
    },
  };
}

/**
 * @param {Uint8Array} record
 * @returns {Note}
 */
export function readNote(record) {
  const bytes = record.slice();
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >>> 2);
  const word = (/** @type {number} */ k) => /** @type {number} */ (words[k]);
  const [time] = new Float64Array(bytes.buffer, TIME * 4, 1);
  return {
    tracer: word(TRACER),
    number: word(NUMBER),
    time: /** @type {number} */ (time),
    start:
      bytes.length === END_BYTES
        ? undefined
        : { name: decoder.decode(bytes.subarray(NAME * 4)), nameHash: word(NAME_HASH) },
  };
}

/**
 * FNV-1a, 32 bits: tells names apart that are kept in part.
 * @param {Uint8Array} bytes
 */
function hashOf(bytes) {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
