// A thread that dies after any single atomic operation of the JavaScript twin leaves a state that others repair: its slot
// comes free, nobody else's is touched, and the directory goes on (docs/ABI.md, clauses 3, 30 and 35). What a thread leaves at each
// step it leaves by a vm timeout, which unwinds as little as a kill does; then it dies, once for all of them.

import { type Area, register } from 'coexist';
import { ENTRY, ENTRY_READY, HEADER, SLOT, viewsOf, word } from 'coexist/abi';
import { Counter } from 'coexist/percpu';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Operation } from '../../workers/stepper.js';
import { until } from '../support/actor.js';
import { deadIdentity, SLOTS, startStepper } from '../support/stepper.js';

const OPERATIONS: Operation[] = [
  'first register',
  'nested register',
  'permanent register',
  'named register',
  'register after a leftover',
  'register in a full table',
  'nested unregister',
  'last unregister',
  'reclaim',
  'key creation',
  'key creation after a dead creator',
];

let dead: bigint;
beforeAll(async () => {
  dead = await deadIdentity();
});

describe.each(OPERATIONS)('killed in: %s', (operation) => {
  test('at every step', { timeout: 120_000 }, async () => {
    const stepper = startStepper();
    const steps = await stepper.stepsOf(operation, dead);
    expect(steps).toBeGreaterThan(0);
    const left: Area[] = [];
    for (let step = 1; step <= steps; step++) left.push((await stepper.cut(operation, 'leave', step, dead)).area);
    await stepper.terminate();
    for (const [k, area] of left.entries())
      await repaired(area, `${operation}, killed after step ${k + 1} of ${steps}`);
  });

  test('asleep at the first step, one in the middle, and the last', { timeout: 120_000 }, async () => {
    let stepper = startStepper();
    const steps = await stepper.stepsOf(operation, dead);
    for (const step of new Set([1, Math.ceil(steps / 2), steps])) {
      const area = await stepper.park(operation, step, dead);
      await stepper.terminate();
      await repaired(area, `${operation}, killed asleep at step ${step} of ${steps}`);
      if (step < steps) stepper = startStepper();
    }
  });
});

async function repaired(area: Area, where: string): Promise<void> {
  const { i64, u32, i32 } = viewsOf(area.buffer);
  const { slotOffset, slotStride, directoryOffset, blockStride } = area.geometry;
  const ownerIndex = (slot: number): number => (slotOffset + slot * slotStride + SLOT.owner.offset) >>> 3;
  const owners = (): bigint[] => Array.from({ length: SLOTS }, (_, slot) => Atomics.load(i64, ownerIndex(slot)));

  // The thread may stay in /proc for a moment after its exit event.
  await until(`${where}: every slot free`, () => {
    area.reclaim();
    return owners().every((owner) => owner === 0n);
  });
  expect(area.inspect().slots, where).toEqual([]);

  // No slot is lost: with all others taken, each can be claimed, whatever the hint says.
  const taken = (1n << 61n) | 1n; // an identity that nobody can prove dead
  for (let free = 0; free < SLOTS; free++) {
    const before = u32[(slotOffset + free * slotStride + SLOT.generation.offset) >>> 2] as number;
    for (let slot = 0; slot < SLOTS; slot++) Atomics.store(i64, ownerIndex(slot), slot === free ? 0n : taken);
    Atomics.store(u32, word(HEADER.slot_high_water), SLOTS);
    const r = register({ area });
    expect({ slot: r.slot, generation: r.generation, permanent: r.permanent }, where).toEqual({
      slot: free,
      generation: before + 1,
      permanent: false,
    });
    expect(area.inspect().slots.find(({ slot }) => slot === free)?.refcount, where).toBe(1);
    r.unregister();
  }
  for (let slot = 0; slot < SLOTS; slot++) Atomics.store(i64, ownerIndex(slot), 0n);

  // The directory goes on: this name, and another one behind it.
  const counter = new Counter('stepped', { area });
  const other = new Counter('other', { area });
  counter.add(7);
  other.add(1);
  expect([counter.own(), other.own()], where).toEqual([7n, 1n]);
  counter.dispose();
  other.dispose();
  const offsets = new Set<number>();
  for (let index = 0; ; index++) {
    const at = directoryOffset + index * 128;
    if (Atomics.load(i64, at >>> 3) === 0n) break;
    expect(Atomics.load(i32, (at + ENTRY.state.offset) >>> 2), where).toBe(ENTRY_READY);
    if (Atomics.load(i32, (at + ENTRY.size.offset) >>> 2) === 0) continue;
    const offset = Atomics.load(i32, (at + ENTRY.offset.offset) >>> 2);
    expect(offsets.has(offset), `${where}: two entries share the range at ${offset}`).toBe(false);
    offsets.add(offset);
  }
  expect(Atomics.load(u32, word(HEADER.block_used)), where).toBeLessThanOrEqual(blockStride);
  expect(area.inspect().slots, where).toEqual([]);
}
