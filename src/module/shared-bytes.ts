// Bytes in shared memory that others may read at any moment: stored and loaded as whole words, with Atomics.

import { host } from '../host/host.js';

type Words = Int32Array<SharedArrayBuffer>;

/** Stores the bytes, and zeros up to the end of the last word. */
export function storeBytes(i32: Words, index: number, bytes: Uint8Array): void {
  const words = new Int32Array((bytes.length + 3) >>> 2);
  new Uint8Array(words.buffer).set(bytes);
  for (const [k, word] of words.entries()) Atomics.store(i32, index + k, word);
}

export function loadBytes(i32: Words, index: number, length: number): Uint8Array {
  const words = Int32Array.from({ length: (length + 3) >>> 2 }, (_, k) => Atomics.load(i32, index + k));
  return new Uint8Array(words.buffer, 0, length);
}

/** The end of a text, as UTF-8 of whole characters: what tells two paths apart is at their end. */
export function lastBytes(text: string, most: number): Uint8Array {
  const bytes = host.encodeUtf8(text);
  let start = Math.max(0, bytes.length - most);
  while (start > 0 && start < bytes.length && ((bytes[start] as number) & 0xc0) === 0x80) start++;
  return bytes.subarray(start);
}
