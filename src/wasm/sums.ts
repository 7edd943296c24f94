// Sums of many words over all blocks below high water (docs/ABI.md, clause 58), with two implementations: one wasm call for each line
// or four, or JavaScript where wasm is off. Made when first used: only who reads histograms needs them.

import { word } from '../abi/field.js';
import { HEADER } from '../abi/header.js';
import { LINE_WORDS, LINES_WORDS } from '../abi/histogram.js';
import type { Views } from '../abi/views.js';
import { host } from '../host/host.js';
import { assembler } from './instantiate.js';
import base64 from './sums.wat';

/** Each of the 8 words of the 64-byte line at an offset in the blocks, or of the 32 of four lines, added up. */
export interface Sums {
  sum_line(offset: number): readonly bigint[];
  sum_lines(offset: number): readonly bigint[];
}

const sumsByBuffer = new WeakMap<SharedArrayBuffer, Sums>();
let bytes: Uint8Array | undefined;

/** The sums on this memory. */
export function sumsOn(views: Views, useWasm: boolean): Sums {
  let sums = sumsByBuffer.get(views.buffer);
  if (sums === undefined) {
    sums = inWasm(views, useWasm) ?? inJavaScript(views);
    sumsByBuffer.set(views.buffer, sums);
  }
  return sums;
}

function inWasm({ memory }: Views, useWasm: boolean): Sums | undefined {
  if (!useWasm || memory === undefined) return undefined;
  try {
    bytes ??= host.decodeBase64(base64);
    return assembler.instantiate('sums', bytes, memory) as Sums;
  } catch {
    // The realm refuses to compile.
    return undefined;
  }
}

function inJavaScript({ u32, i64 }: Views): Sums {
  const header = (name: keyof typeof HEADER): number => Atomics.load(u32, word(HEADER[name]));

  function sumWords(offset: number, words: number): bigint[] {
    const end = Math.min(header('slot_high_water'), header('slot_capacity'));
    const stride = header('block_stride');
    const sums = Array.from({ length: words }, () => 0n);
    let at = header('block_offset') + offset;
    for (let i = 0; i < end; i++, at += stride) {
      for (let k = 0; k < words; k++) sums[k]! += Atomics.load(i64, (at >>> 3) + k);
    }
    return sums.map((sum) => BigInt.asIntN(64, sum));
  }

  return {
    sum_line: (offset) => sumWords(offset, LINE_WORDS),
    sum_lines: (offset) => sumWords(offset, LINES_WORDS),
  };
}
