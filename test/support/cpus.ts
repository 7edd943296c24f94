// What tests of CPU numbers need of the machine: which CPUs this process may use, and where koffi is.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/** The CPUs this process may run on, as the kernel numbers them; at least one. */
export function allowedCpus(): number[] {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, k) => first + k);
  });
}

/** URL of koffi's entry, for threads that call C themselves. */
export const koffiUrl: string = pathToFileURL(createRequire(import.meta.url).resolve('koffi')).href;

/** What is used of koffi. */
export interface Koffi {
  readonly default: { load(path: null): { func(prototype: string): (...args: unknown[]) => number } };
}

/** Whether glibc, on x64: only there is the rseq area mapped. */
export const mapsRseq: boolean = process.platform === 'linux' && process.arch === 'x64';
