// The per-CPU operations (docs/ABI.md, clause 55) on the shards of one thread. What is one step is one atomic step by CPU, and an
// ordinary one by slot; the rest is a critical section of src/wasm, entered again here where the CPU's word was held.

import { CoexistError, invalid } from '../abi/errors.js';
import { OPERATIONS } from '../abi/percpu.js';
import { enter, leave } from '../sync/inner-lock.js';
import { groundOf, type Place } from '../sync/place.js';
import { SPIN } from '../sync/spin.js';
import { block, Limits } from '../sync/wait.js';
import {
  COMMIT_CAS,
  COMMIT_PLAIN,
  COMMIT_RELEASE,
  RUN_ABORTED,
  RUN_BUSY,
  RUN_COMPARE_FAILED,
  RUN_FAULT,
} from '../wasm/outcomes.js';
import { checkShard, type Shards, shardNow, wordOf } from './shards.js';

/** It is done. */
export const DONE = 0;
/** A word did not hold what was expected; nothing changed. */
export const COMPARE_FAILED = 1;
/** The thread is not at this shard, or another was faster; nothing changed. Ask for the shard again, and try again. */
export const ABORTED = -1;
/** There is no such order; nothing changed, and trying again does not help. */
export const UNSUPPORTED = -2;
/** The accessor was disposed of; nothing changed, and trying again does not help. */
export const UNREGISTERED = -3;

export type Status = 0 | 1 | -1 | -2 | -3;

/** How the commit is ordered: 'release' makes what the thread stored before visible with it. Shards by CPU always release. */
export type Order = 'relaxed' | 'release';

/** How long an operation waits for a CPU's word that others keep, before it says ABORTED. */
const WORD_MS = 50;

/**
 * Where the thread may operate on this shard: DONE, and otherwise what the operation returns.
 * @throws COEXIST_EINVAL
 */
function admitted(shards: Shards, shard: number, order: Order): Status {
  if (!shards.live) return UNREGISTERED;
  if (order !== 'relaxed' && order !== 'release') return UNSUPPORTED;
  if (shardNow(shards) === shard) return DONE;
  checkShard(shards, shard);
  return ABORTED;
}

/** hot: an ordinary store, or one wasm call */
export function compareAndStore(
  shards: Shards,
  v: number,
  expect: number,
  value: number,
  shard: number,
  order: Order,
): Status {
  checkRange(shards, 'v', v, 4);
  const status = admitted(shards, shard, order);
  if (status !== DONE) return status;
  if (shards.byCpu) return shards.steps.cas(v, expect, value) === 1 ? DONE : COMPARE_FAILED;
  const { i32 } = shards.core.views;
  if (i32[v >>> 2] !== (expect | 0)) return COMPARE_FAILED;
  if (order === 'release') Atomics.store(i32, v >>> 2, value);
  else i32[v >>> 2] = value;
  return DONE;
}

/** hot: an ordinary store, or one wasm call */
export function add(shards: Shards, v: number, count: number, shard: number, order: Order): Status {
  checkRange(shards, 'v', v, 4);
  const status = admitted(shards, shard, order);
  if (status !== DONE) return status;
  const { i32 } = shards.core.views;
  if (shards.byCpu) shards.steps.add(v, count);
  else if (order === 'release') Atomics.store(i32, v >>> 2, (i32[v >>> 2] as number) + (count | 0));
  else i32[v >>> 2]! += count | 0;
  return DONE;
}

/**
 * A critical section. `given[0]`, where there is one, becomes the pointer that operation 3 gives.
 * @throws COEXIST_EINVAL
 */
export function section(
  shards: Shards,
  op: number,
  shard: number,
  order: Order,
  v: number,
  a: number,
  b: number,
  c: number,
  d: number,
  length = 0,
  given?: { [index: number]: number },
): Status {
  checkRange(shards, 'v', v, 4);
  const status = admitted(shards, shard, order);
  if (status !== DONE) return status;
  let how = COMMIT_CAS;
  if (!shards.byCpu) how = order === 'release' ? COMMIT_RELEASE : COMMIT_PLAIN;
  const limit = op === OPERATIONS.load_cbne_memcpy_store ? length : shards.core.views.buffer.byteLength - 4;
  const word = shards.byCpu && op !== OPERATIONS.load_add_load_load_add_store ? wordOf(shards, shard) : 0;
  let result = shards.steps.run(op, how, shards.section, word, limit, v, a, b, c, d);
  if (result === RUN_BUSY) {
    const place: Place = placeOf(shards, word);
    const token = hold(place);
    if (token === undefined) return ABORTED;
    result = shards.steps.run(op, how, shards.section, 0, limit, v, a, b, c, d);
    leave(place, token);
  }
  if (result === RUN_COMPARE_FAILED) return COMPARE_FAILED;
  if (result === RUN_ABORTED) return ABORTED;
  if (result === RUN_FAULT) throw fault(shards, v, op === OPERATIONS.load_cbeq_store_add_load_store ? b : a);
  if (given !== undefined) given[0] = (result << 2) >>> 0;
  return DONE;
}

const placeOf = ({ core, name }: Shards, word: number): Place => ({
  ground: groundOf(core.views.buffer, core.views.memory),
  at: word,
  label: `the CPU's word at byte ${word} of ${JSON.stringify(name)}`,
  holders: 0,
});

// The word is held for a few steps at a time, so looking comes first; a dead holder is found by the wait.
function hold(place: Place): number | undefined {
  const { steps, views } = place.ground;
  const token = steps.spin_lock(place.at, SPIN.lock);
  if (token !== 0) return token;
  try {
    return block(enter(place, false, new Limits({ timeout: WORD_MS }, false)), views.i32);
  } catch (error) {
    if ((error as CoexistError).code === 'COEXIST_ETIMEDOUT') return undefined;
    throw error;
  }
}

/** @throws COEXIST_EINVAL where these bytes are not all in the heap or the blocks, or not at a multiple of 4 */
export function checkRange(shards: Shards, argument: string, at: number, length: number): void {
  const end = at + length;
  const inside = (at >= shards.blocks && end <= shards.blocksEnd) || (at >= shards.heap && end <= shards.heapEnd);
  if (inside && (at & 3) === 0 && Number.isInteger(at)) return;
  throw invalid(argument, at, 'the byte offset, a multiple of 4, of a word in the heap or the blocks of the area');
}

function fault({ core, name }: Shards, v: number, offset: number): CoexistError {
  const pointer = Atomics.load(core.views.u32, v >>> 2);
  return new CoexistError(
    'COEXIST_EINVAL',
    `the pointer in ${JSON.stringify(name)} at byte ${v} leads out of the area`,
    {
      found: { pointer, offset },
      expected: 'the byte offset, a multiple of 4, of a word in the area, and not 0',
      remedy: 'Nothing has changed. Store only pointers that PerCpu.at(), Pool or the like gave.',
    },
  );
}
