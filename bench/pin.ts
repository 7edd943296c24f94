// Binds the calling thread to a core, by the command taskset, where there is one.

import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

/** The cores that this process may use, as Linux numbers them; none where that cannot be known. */
export function cores(): number[] {
  const list = taskset(['-pc', String(process.pid)])?.match(/: ([\d,-]+)\s*$/)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return range === '' ? [] : Array.from({ length: last - first + 1 }, (_, k) => first + k);
  });
}

/** Whether that could be done. */
export function pin(core: number): boolean {
  const tid = readlinkSync('/proc/thread-self').split('/').pop() as string;
  return taskset(['-pc', String(core), tid]) !== undefined;
}

function taskset(args: string[]): string | undefined {
  try {
    return execFileSync('taskset', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}
