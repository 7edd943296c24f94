// Waits out critical sections (docs/ABI.md, clause 53): what membarrier's rseq command is to the kernel's. Nobody wakes the
// waiter, since that would cost every section a system call; sections last a few steps, so it looks, then sleeps briefly.

import { SLOT } from '../abi/slot.js';
import type { AreaCore } from '../area/core.js';
import { coreFor } from '../area/current.js';
import { identityIn } from '../area/thread-anchor.js';
import { host } from '../host/host.js';
import { block, Limits, SLICE_MS, suspend, type Waiting, type WaitOptions } from '../sync/wait.js';
import type { Area } from '../thread/area.js';
import { fullFence } from './full-fence.js';

export interface FenceOptions extends WaitOptions {
  readonly area?: Area | undefined;
}

/** Looks before the first sleep. */
const LOOKS = 64;

/**
 * Returns when no critical section that any thread began before can still commit; one that begins later sees what this thread has
 * stored before. Waits for those sections, or for the proof that their threads are dead.
 * @throws COEXIST_ETIMEDOUT, COEXIST_EABORTED, COEXIST_EUNSUPPORTED (a thread that may not block), COEXIST_EINVAL, and as `attach()`
 * @since 0.1.0
 */
export function fence(options?: FenceOptions): void {
  const core = coreFor(options?.area);
  block(waitOut(core, new Limits(options, false)), core.views.i32);
}

/** As `fence()`, without blocking. @since 0.1.0 */
export async function fenceAsync(options?: FenceOptions): Promise<void> {
  const core = coreFor(options?.area);
  const limits = new Limits(options, true);
  await suspend(waitOut(core, limits), core.views.i32, limits.signal);
}

function* waitOut(core: AreaCore, limits: Limits): Waiting<void> {
  // What was stored before, by ordinary stores too, is to be seen by every section that the looks below miss.
  fullFence();
  const self = identityIn(core.anchor);
  for (let slot = 0, end = core.highWater(); slot < end; slot++) yield* waitOutSlot(core, limits, slot, self);
}

function* waitOutSlot(core: AreaCore, limits: Limits, slot: number, self: bigint): Waiting<void> {
  const { i64 } = core.views;
  const index = (core.slotAt(slot) + SLOT.rseq_cs.offset) >>> 3;
  // The owner first: a section announced under a later owner began after this.
  const owner = Atomics.load(i64, core.ownerIndex(slot));
  if (owner <= 0n || owner === self) return;
  const section = Atomics.load(i64, index);
  if (section === 0n) return;
  const ended = (): boolean =>
    Atomics.load(i64, index) !== section || Atomics.load(i64, core.ownerIndex(slot)) !== owner;
  for (let look = 0; look < LOOKS; look++) if (ended()) return;
  let asked = host.now();
  for (let ms = 1; !ended(); ms = Math.min(2 * ms, SLICE_MS)) {
    const over = limits.over(`the end of the critical section in slot ${slot}`);
    if (over !== undefined || host.now() - asked >= SLICE_MS) {
      asked = host.now();
      if (host.liveness(owner, self) === 'dead') return;
    }
    if (over !== undefined) throw over;
    yield { index: 2 * index, value: Number(BigInt.asIntN(32, section)), ms: Math.min(ms, limits.slice()) };
  }
}
