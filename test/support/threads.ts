// Identities of threads, computed here anew from /proc as docs/ABI.md, clause 15 says, and the thread anchors of clause 16.

import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { THREAD_KEY } from 'coexist/abi';
import { type Actor, until } from './actor.js';

const workerThreads = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, unknown>;

/** The identity of the thread that calls. */
export function ownIdentity(): bigint {
  const tid = BigInt(readlinkSync('/proc/thread-self').split('/').pop() as string);
  const stat = readFileSync('/proc/thread-self/stat', 'utf8');
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string;
  return (BigInt(startTime) << 22n) | tid;
}

/** Names a thread id that no thread can have: proven dead by ENOENT. */
export const NO_SUCH_THREAD = (12_345n << 22n) | 0n;

/** This thread's own id under another start time: proven dead, since the id was used again. */
export const EARLIER_NAMESAKE = ownIdentity() ^ (1n << 22n);

/** A random identity, as where /proc is refused: never proven dead. */
export const UNKNOWABLE = (1n << 61n) | 4711n;

/** The calling thread's anchor: of the process's area, or of a private one. */
export function threadAnchor(area?: { readonly id: number }): Int32Array | undefined {
  const key = area === undefined ? THREAD_KEY : `${THREAD_KEY}.${area.id.toString(16).padStart(8, '0')}`;
  return workerThreads[Symbol.for(key)] as Int32Array | undefined;
}

export function identityOf(actor: Actor): Promise<bigint> {
  return actor.run(() => {
    const fs = process.getBuiltinModule('node:fs');
    const tid = BigInt(fs.readlinkSync('/proc/thread-self').split('/').pop() as string);
    const stat = fs.readFileSync('/proc/thread-self/stat', 'utf8');
    return (BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string) << 22n) | tid;
  });
}

/** Ends the actor's thread and waits until the kernel has forgotten it. */
export async function kill(actor: Actor): Promise<bigint> {
  const identity = await identityOf(actor);
  await actor.terminate();
  const tid = identity & ((1n << 22n) - 1n);
  await until(`thread ${tid} is gone`, () => !existsSync(`/proc/self/task/${tid}`));
  return identity;
}

/** What /proc says of a thread, looked up anew here as docs/ABI.md, clause 17 says. */
export function livesInProc(identity: bigint): boolean {
  try {
    const stat = readFileSync(`/proc/self/task/${identity & ((1n << 22n) - 1n)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ended = fields[0] === 'Z' || fields[0] === 'X' || (Number(fields[6]) & 4) !== 0;
    return !ended && BigInt(fields[19] as string) === identity >> 22n;
  } catch {
    return false;
  }
}
