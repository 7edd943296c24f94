// A16, a library scribbles over a field that is read-only to it: detected, and another copy is not disturbed. Restated, for
// shared memory that nothing protects:
// - detected, by a typed error: owner or generation (the registration is void), cpu_id (-1 or -2), refcount at its maximum,
//   header fields that checkArea reads, by whoever opens the area later; any property of a frozen Area.
// - not detected, and harmless to others: flags, node_id, mm_cid, cpu_id_start, rseq_cs, thread_id, holders, the words 60 to 63.
// - not detected, and harmful to its own slot only: refcount (the slot is given up early or late), cpu_id >= 0 (a wrong id).

import '../support/slot-index.js';
import { attach, openArea } from 'coexist';
import { HEADER, SLOT, word } from 'coexist/abi';
import { describe, expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { bytesOf, headerOf, rawSlot, scribble } from '../support/slot.js';
import { modeEnv, modes, registerIn, unregisterIn, untilFree } from '../support/steps.js';

const harmless = ['flags', 'node_id', 'mm_cid', 'cpu_id_start', 'rseq_cs', 'thread_id', 'holders', 'reserved'] as const;

describe.each(modes)('%s', (mode) => {
  const env = modeEnv(mode);

  test.each(harmless)('%s: no copy counts or reads otherwise, and the next owner finds it clean', async (name) => {
    const area = attach();
    const neighbour = await Actor.start({ env });
    const near = await registerIn(neighbour, 'a');
    const actor = await Actor.start({ env });
    const { slot, generation } = await registerIn(actor, 'a');
    scribble(area, slot, SLOT[name], 0x7fffffff);
    const beside = rawSlot(area, near.slot);

    expect(await registerIn(actor, 'b')).toMatchObject({ slot, generation, cpuId: slot, row: { refcount: 2 } });
    await unregisterIn(actor);
    expect(rawSlot(area, slot)).toMatchObject({ owner: 0n, refcount: 0, cpu_id: -1 });
    expect(rawSlot(area, near.slot)).toEqual(beside);

    await registerIn(actor, 'b');
    const clean = rawSlot(area, slot);
    const expected = { mm_cid: slot, cpu_id_start: slot, thread_id: actor.worker.threadId } as Record<string, unknown>;
    expect(Number(clean[name])).toBe(expected[name] ?? 0);
    await unregisterIn(actor);
    await actor.terminate();
    await neighbour.terminate();
    await untilFree(area, near.slot);
  });

  test.each([
    ['owner', 1n << 40n],
    ['generation', 77],
  ] as const)('%s: the registrations are void, and say so', async (name, value) => {
    const area = attach();
    const actor = await Actor.start({ env });
    const first = await registerIn(actor, 'ab');
    scribble(area, first.slot, SLOT[name], value);
    await expect(unregisterIn(actor)).rejects.toMatchObject({ code: 'COEXIST_EUNREGISTERED' });
    const again = await registerIn(actor, 'b');
    // An owner that is not this thread's makes it claim another slot; under another generation it is still its own.
    expect(again.slot === first.slot).toBe(name === 'generation');
    await actor.terminate();
    await untilFree(area, first.slot, again.slot);
  });

  test('cpu_id -1: unregister says so, the next registration begins anew in the same slot', async () => {
    const area = attach();
    const actor = await Actor.start({ env });
    const { slot } = await registerIn(actor, 'a');
    scribble(area, slot, SLOT.cpu_id, -1);
    await expect(unregisterIn(actor)).rejects.toMatchObject({ code: 'COEXIST_EUNREGISTERED' });
    expect(await registerIn(actor, 'b')).toMatchObject({ slot, cpuId: slot, row: { refcount: 1 } });
    await actor.terminate();
    await untilFree(area, slot);
  });

  test('refcount: only the own slot suffers', async () => {
    const area = attach();
    const neighbour = await Actor.start({ env });
    const near = await registerIn(neighbour, 'ab');
    const beside = rawSlot(area, near.slot);
    const actor = await Actor.start({ env });
    const { slot } = await registerIn(actor, 'ab');
    // One too low: the slot is given up under the other copy, which is told so.
    scribble(area, slot, SLOT.refcount, 1);
    await expect(unregisterIn(actor)).rejects.toMatchObject({ code: 'COEXIST_EUNREGISTERED' });
    expect(rawSlot(area, slot)).toMatchObject({ owner: 0n });
    // Too high: it is kept until the thread ends.
    await registerIn(actor, 'ab');
    scribble(area, slot, SLOT.refcount, 9);
    await actor.run(({ state }) => {
      for (const handle of state.registrations.splice(-2)) handle.unregister();
    });
    expect(rawSlot(area, slot)).toMatchObject({ refcount: 7, cpu_id: slot });
    expect(rawSlot(area, near.slot)).toEqual(beside);
    await actor.terminate();
    await neighbour.terminate();
    await untilFree(area, slot, near.slot);
  });

  test('a cpu number that another copy publishes is what every copy reads', async () => {
    const area = attach();
    const actor = await Actor.start({ env });
    const { slot } = await registerIn(actor, 'ab');
    scribble(area, slot, SLOT.cpu_id, 5);
    expect(await actor.run(({ state }) => state.registrations.map((handle) => handle.cpuId()))).toEqual([5, 5]);
    await unregisterIn(actor);
    expect(rawSlot(area, slot)).toMatchObject({ owner: 0n, cpu_id: -1 });
    await actor.terminate();
  });
});

test('an Area is frozen: strict code throws', () => {
  const area = attach();
  for (const [name, value] of Object.entries({ id: 1, buffer: new SharedArrayBuffer(8), reclaim: () => 0, other: 1 })) {
    expect(() => Object.assign(area, { [name]: value })).toThrow(TypeError);
  }
});

test('a handle whose properties are overwritten harms nobody', async () => {
  const area = attach();
  const actor = await Actor.start();
  const { slot } = await registerIn(actor, 'a');
  const before = bytesOf(area, 0, area.geometry.directoryOffset);
  const codes = await actor.run(async ({ load }, url) => {
    const { register } = await load(url);
    const codes: unknown[] = [];
    for (const scribble of [{ slot: 3 }, { slot: -1 }, { slot: Number.NaN }, { slot: 1e9 }, { generation: 99 }]) {
      const handle = register();
      try {
        Object.assign(handle, scribble);
        handle.unregister();
        codes.push('done');
      } catch (error) {
        codes.push((error as { code?: string }).code ?? (error as Error).name);
      }
    }
    return codes;
  }, copyUrl('b'));
  expect(codes).toEqual(Array(5).fill('COEXIST_EUNREGISTERED'));
  // Five counts too many on the own slot, and nothing else: not a byte of another slot.
  expect(rawSlot(area, slot)).toMatchObject({ refcount: 6 });
  const after = bytesOf(area, 0, area.geometry.directoryOffset);
  const changed = [...after.keys()].filter((at) => after[at] !== before[at]);
  const start = area.geometry.slotOffset + slot * area.geometry.slotStride;
  expect(changed.filter((at) => at < start || at >= start + 128)).toEqual([]);
  await actor.terminate();
  await untilFree(area, slot);
});

test('a scribbled header is refused by whoever opens it next, and serves on for who has it open', async () => {
  const area = attach();
  const u32 = new Uint32Array(area.buffer);
  const actor = await Actor.start();
  const before = headerOf(area, 'abi_major');
  Atomics.store(u32, word(HEADER.abi_major), 9);
  await expect(registerIn(actor, 'a')).rejects.toMatchObject({ code: 'COEXIST_EABI' });
  expect(openArea(area.memory ?? area.buffer)).toBe(area);
  Atomics.store(u32, word(HEADER.abi_major), before);
  expect((await registerIn(actor, 'a')).row.refcount).toBe(1);
  await actor.terminate();
});
