// A thread that a vm timeout cuts before or after any single atomic operation of the JavaScript twin lives on: a second copy
// in the same thread then registers and unregisters. The count may be one too high until the thread ends, never too low, and
// the thread never holds two slots (docs/ABI.md, clauses 3, 24 and 28).

import type { Area } from 'coexist';
import { SLOT, viewsOf } from 'coexist/abi';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Operation, SecondCopy } from '../../workers/stepper.js';
import { until } from '../support/actor.js';
import { deadIdentity, SLOTS, startStepper } from '../support/stepper.js';

/** By operation: does a registration of the first copy's take effect at most, or end at least, when it is cut? */
const OPERATIONS: Record<Operation, { mayAdd: number; permanent?: true }> = {
  'first register': { mayAdd: 1 },
  'nested register': { mayAdd: 1 },
  'permanent register': { mayAdd: 0, permanent: true },
  'named register': { mayAdd: 1 },
  'register after a leftover': { mayAdd: 1 },
  'register in a full table': { mayAdd: 1 },
  'nested unregister': { mayAdd: 1 },
  'last unregister': { mayAdd: 1 },
  reclaim: { mayAdd: 0 },
  'key creation': { mayAdd: 1 },
  'key creation after a dead creator': { mayAdd: 1 },
};

let dead: bigint;
beforeAll(async () => {
  dead = await deadIdentity();
});

describe.each(Object.keys(OPERATIONS) as Operation[])('cut in: %s', (operation) => {
  test('at every step', { timeout: 120_000 }, async () => {
    const stepper = startStepper();
    const steps = await stepper.stepsOf(operation, dead);
    expect(steps).toBeGreaterThan(0);
    const left: [string, Area][] = [];
    for (let step = 1; step <= steps; step++) {
      for (const mode of ['cut before', 'cut after'] as const) {
        const where = `${operation}, ${mode} step ${step} of ${steps}`;
        const { area, result } = await stepper.cut(operation, mode, step, dead);
        check(operation, where, result.after);
        left.push([where, area]);
      }
    }
    await stepper.terminate();
    for (const [where, area] of left) await free(where, area);
  });
});

function check(operation: Operation, where: string, after: SecondCopy | undefined): void {
  if (after === undefined) throw new Error(`${where}: no report`);
  const { mayAdd, permanent } = OPERATIONS[operation];

  expect(after.failures, where).toEqual([]);
  expect(after.owned, `${where}: slots held while registered`).toBe(1);
  if (permanent && after.permanent) {
    // The permanent registration had taken effect: it is not counted, and it stays.
    expect([after.refcount, after.left], where).toEqual([0, 1]);
  } else {
    // The live handles and the second copy's own are counted, and at most one more.
    expect(after.refcount, where).toBeGreaterThanOrEqual(after.live + 1);
    expect(after.refcount, where).toBeLessThanOrEqual(after.live + 1 + mayAdd);
    const tooHigh = after.refcount - after.live - 1;
    expect([after.left, after.leftRefcount], where).toEqual([tooHigh, tooHigh]);
  }
  // A handle that was cut while it unregistered never counts down again.
  expect(['none', 'COEXIST_EUNREGISTERED'], where).toContain(after.again);
}

async function free(where: string, area: Area): Promise<void> {
  const { i64 } = viewsOf(area.buffer);
  const { slotOffset, slotStride } = area.geometry;
  await until(`${where}: every slot free after the thread's end`, () => {
    area.reclaim();
    return Array.from({ length: SLOTS }, (_, slot) => slotOffset + slot * slotStride + SLOT.owner.offset).every(
      (at) => Atomics.load(i64, at >>> 3) === 0n,
    );
  });
}
