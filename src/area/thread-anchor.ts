// The thread anchor (docs/ABI.md, clause 16): four words in the thread's own heap that tell every copy in the thread which
// slot it has and which identity it goes by. Written with plain stores: no other thread sees them.

import { CoexistError } from '../abi/errors.js';
import { THREAD_KEY } from '../abi/header.js';
import { host } from '../host/host.js';

/** Words of the anchor. */
export const ANCHOR_SLOT = 0;
export const ANCHOR_BUSY = 1;
export const ANCHOR_LOW = 2;
export const ANCHOR_HIGH = 3;

export const low = (id: bigint): number => Number(BigInt.asIntN(32, id));
export const high = (id: bigint): number => Number(BigInt.asIntN(32, id >> 32n));
export const identityIn = (anchor: Int32Array): bigint =>
  (BigInt(anchor[ANCHOR_HIGH] as number) << 32n) | BigInt((anchor[ANCHOR_LOW] as number) >>> 0);

/**
 * The anchor under this key, defined now if there is none. A new one is marked busy, which makes the next claim look for
 * leftovers, until `dropLeftovers` has done so.
 * @throws COEXIST_EANCHOR
 */
export function anchorOf(key: string, dropLeftovers?: (anchor: Int32Array) => void): Int32Array {
  const existing = host.anchored(key);
  if (existing !== undefined) return checked(existing);
  const id = key === THREAD_KEY ? host.identity() : identityIn(anchorOf(THREAD_KEY));
  const candidate = Int32Array.of(-1, 1, low(id), high(id));
  const anchor = checked(host.anchor(key, candidate));
  if (anchor === candidate && dropLeftovers !== undefined) {
    dropLeftovers(anchor);
    anchor[ANCHOR_BUSY] = 0;
  }
  return anchor;
}

function checked(value: unknown): Int32Array {
  if (Object.prototype.toString.call(value) === '[object Int32Array]' && (value as Int32Array).length === 4) {
    return value as Int32Array;
  }
  throw new CoexistError('COEXIST_EANCHOR', 'the thread anchor cannot be defined or is not an Int32Array(4)', {
    found: value,
    expected: 'Int32Array(4)',
    remedy: 'Attach before the program freezes built-in modules, and load nothing that writes to the symbol itself.',
  });
}
