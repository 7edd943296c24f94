// Which CPU a thread runs on, by the first way into C that works, and how many CPUs the machine can have. Nothing here throws: where no
// way works, the source is empty and says why.

import { openBunFfi } from '../ffi/bun-ffi.js';
import { openDenoFfi } from '../ffi/deno-ffi.js';
import { openKoffi } from '../ffi/koffi.js';
import { openNodeFfi } from '../ffi/node-ffi.js';
import { type CpuSource, type Ffi, type Mapped, messageOf, noSource, sourceOf } from '../rseq-area.js';
import { fs, process } from './builtin.js';

const { readFileSync } = fs;
const MOST_CPUS = 4096;

/** Opened anew at each call; the caller keeps it. */
export function openCpu(keep?: Mapped): CpuSource {
  const reasons: string[] = [];
  try {
    if (process.env['COEXIST_NO_FFI'] === '1') return noSource(['switched off (COEXIST_NO_FFI=1)']);
    const bun = 'Bun' in globalThis;
    const openers: (() => Ffi | string)[] = bun
      ? [openBunFfi]
      : 'Deno' in globalThis
        ? [openDenoFfi]
        : [openKoffi, openNodeFfi];
    for (const open of openers) {
      const ffi = attempt(open);
      if (typeof ffi !== 'string') return sourceOf(ffi, { arch: process.arch, rereads: !bun }, keep);
      reasons.push(ffi);
    }
  } catch (error) {
    reasons.push(messageOf(error));
  }
  return noSource(reasons);
}

function attempt(open: () => Ffi | string): Ffi | string {
  try {
    return open();
  } catch (error) {
    return messageOf(error);
  }
}

let possible: number | undefined;

/** The highest CPU number this machine can have, + 1; from 1 to 4096. */
export function possibleCpus(): number {
  possible ??= Math.min(Math.max(listed() ?? available(), 1), MOST_CPUS);
  return possible;
}

function listed(): number | undefined {
  try {
    return cpusIn(readFileSync('/sys/devices/system/cpu/possible', 'utf8'));
  } catch {
    return undefined;
  }
}

/** The highest number in a list like "0-3,5", + 1; undefined if it is none. */
export function cpusIn(list: string): number | undefined {
  const numbers = /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list.trim()) ? list.trim().split(/[-,]/).map(Number) : [];
  return numbers.length === 0 ? undefined : Math.max(...numbers) + 1;
}

function available(): number {
  try {
    return process.getBuiltinModule('node:os').availableParallelism();
  } catch {
    return 1;
  }
}
