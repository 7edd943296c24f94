// Identity and liveness of operating-system threads from /proc (docs/ABI.md, clauses 15 and 17). Synchronous, from any
// thread, also inside a blocking wait; sees every way to die, and thread ids that are used again, by the start time.

import type { Liveness } from '../host.js';
import { fs, process } from './builtin.js';

// Held from the start: what a program later puts into node:fs (mocks, virtual file systems) is not /proc.
const { readFileSync } = fs;

const TID_BITS = 22n;
/** Of start times in /proc. */
const TICK_MS = 10;
const TID_MASK = (1n << TID_BITS) - 1n;
/** Set in identities that /proc did not give: nobody can prove the death of such a thread. */
const RANDOM_BIT = 1n << 61n;
/** PF_EXITING of the kernel's task flags: the thread executes no more user code. */
const PF_EXITING = 4;

interface Stat {
  readonly state: string;
  readonly flags: number;
  readonly startTime: bigint;
}

// Fields are counted behind the last ')': the command name before it may contain anything. The first is field 3.
function parse(stat: string): Stat | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 20);
  const [state, flags, startTime] = [fields[0], fields[6], fields[19]];
  if (!state || !flags || !startTime || !/^\d+$/.test(startTime)) return undefined;
  return { state, flags: Number(flags), startTime: BigInt(startTime) };
}

export function identity(): bigint {
  try {
    const text = readFileSync('/proc/thread-self/stat', 'utf8');
    const tid = text.slice(0, text.indexOf(' '));
    const startTime = parse(text)?.startTime;
    if (startTime !== undefined && /^\d+$/.test(tid) && BigInt(tid) <= TID_MASK) {
      outlive(startTime);
      return (startTime << TID_BITS) | BigInt(tid);
    }
  } catch {
    // No /proc, or the permission model refuses it: the random identity below says so by its bit 61.
  }
  const { randomFillSync } = process.getBuiltinModule('node:crypto');
  const random = randomFillSync(new BigUint64Array(1))[0] as bigint;
  return RANDOM_BIT | (random & (RANDOM_BIT - 1n)) | 1n;
}

// Returns once the clock tick of the start has passed, which it has for any thread that has come this far, unless the clock says
// otherwise or cannot be read. No later thread with this id can then have the same start time.
function outlive(startTime: bigint): void {
  try {
    const [seconds, hundredths] = readFileSync('/proc/uptime', 'utf8').split(/[. ]/, 2);
    if (BigInt(`${seconds}${hundredths}`) > startTime) return;
  } catch {
    // Refused: sleep instead.
  }
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * TICK_MS);
}

/** The operating system's thread id in an identity; undefined in a random one. */
export function osThreadId(id: bigint): number | undefined {
  return (id & RANDOM_BIT) === 0n ? Number(id & TID_MASK) : undefined;
}

function read(id: bigint, pid: number | 'self'): Stat | undefined | 'gone' {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/task/${id & TID_MASK}/stat`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ESRCH' ? 'gone' : undefined;
  }
  return parse(text);
}

/** Of a thread of this process, unless said otherwise. */
export function liveness(id: bigint, own: bigint, pid: number | 'self' = 'self'): Liveness {
  if (osThreadId(id) === undefined || osThreadId(own) === undefined) return 'unknown';
  const verdict = judge(id, pid);
  // The control read comes after the verdict: what made /proc lie then would still make it lie now.
  return verdict === 'dead' && judge(own, 'self') !== 'alive' ? 'unknown' : verdict;
}

function judge(id: bigint, pid: number | 'self'): Liveness {
  const stat = read(id, pid);
  if (stat === 'gone') return 'dead';
  if (stat === undefined) return 'unknown';
  const ended = stat.state === 'Z' || stat.state === 'X' || (stat.flags & PF_EXITING) !== 0;
  return ended || stat.startTime !== id >> TID_BITS ? 'dead' : 'alive';
}
