// A14, a stale area is used again: what the last thread left is cleared on registration. Restated: the claimer clears, since
// nobody clears behind a thread that dies; generation and registered_total go on; blocks are not cleared, except keys that ask
// for it (docs/ABI.md, clauses 20, 22, 39 and 40).

import '../support/slot-index.js';
import { attach, createArea } from 'coexist';
import { endOf } from 'coexist/abi';
import { describe, expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { rawSlot, SLOT, scribble } from '../support/slot.js';
import { modeEnv, modes, registerIn, untilFree } from '../support/steps.js';

const clean = { flags: 0, rseq_cs: 0n, node_id: 0, reserved: 0, refcount: 1 };
const fields = Object.values(SLOT).filter((field) => field !== SLOT.owner);

describe.each(modes)('%s', (mode) => {
  test.each([
    ['every byte set', 0xffffffff, 1],
    ['every byte dirty', 0xa5a5a5a5, 0xa5a5a5a6],
    ['the generation before the last', 0xfffffffe, 0xffffffff],
  ])('a free slot with %s', async (_, dirt, generation) => {
    const area = createArea({ slots: 2, blockBytes: 4096, heapBytes: 0 });
    for (const field of fields) {
      const words = field.size === 8 ? (BigInt(dirt) << 32n) | BigInt(dirt) : dirt;
      scribble(area, 0, field, words);
    }
    const actor = await Actor.start({ env: modeEnv(mode) });
    const slot = await actor.run(
      async ({ load, state }, { url, memory }) => {
        const { openArea, register } = await load(url);
        const handle = register({ area: openArea(memory) });
        state.registrations.push(handle);
        return { slot: handle.slot, generation: handle.generation, cpuId: handle.cpuId() };
      },
      { url: copyUrl('a'), memory: area.memory ?? area.buffer },
    );
    expect(slot).toEqual({ slot: 0, generation, cpuId: 0 });
    expect(rawSlot(area, 0)).toMatchObject({
      ...clean,
      holders: 0n,
      generation,
      mm_cid: 0,
      thread_id: actor.worker.threadId,
      registered_total: (dirt + 1) >>> 0,
    });
    expect(rawSlot(area, 1)).toMatchObject({ owner: 0n, generation: 0 });
    expect(endOf(SLOT.reserved)).toBe(area.geometry.featureSize);
    await actor.terminate();
  });

  test('the slot of a thread that died in the middle of everything', async () => {
    const area = attach();
    const victim = await Actor.start({ env: modeEnv(mode) });
    const { slot, generation } = await registerIn(victim, 'abab', 'victim');
    await victim.run(
      async ({ load }, url) => {
        const { PerThread } = await load(url);
        for (const fresh of [true, false]) {
          const accessor = new PerThread(`a14/${fresh}`, { type: 'u32', length: 8, fresh });
          accessor.own.fill(7);
        }
      },
      copyUrl('a', 'core.js'),
    );
    scribble(area, slot, SLOT.rseq_cs, 0x1234n);
    scribble(area, slot, SLOT.flags, 7);
    scribble(area, slot, SLOT.node_id, 1);
    scribble(area, slot, SLOT.reserved, 9);
    await victim.terminate();
    await untilFree(area, slot);
    // Reclaim touches nothing but the owner word and the hint.
    expect(rawSlot(area, slot)).toMatchObject({ refcount: 6, flags: 7, rseq_cs: 0x1234n, generation });

    const heir = await Actor.start({ env: modeEnv(mode) });
    const contents = await heir.run(
      async ({ load }, url) => {
        const { PerThread } = await load(url);
        return [true, false].map((fresh) => [...new PerThread(`a14/${fresh}`, { type: 'u32', length: 8, fresh }).own]);
      },
      copyUrl('b', 'core.js'),
    );
    expect(contents).toEqual([Array(8).fill(0), Array(8).fill(7)]);
    expect(rawSlot(area, slot)).toMatchObject({ ...clean, refcount: 2, holders: 0n, generation: generation + 1 });
    await heir.terminate();
    await untilFree(area, slot);
  });
});
