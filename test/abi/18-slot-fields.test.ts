// Clause 18: the fields of a slot, read by hand at each stage of its life. (Their offsets are compared in tables.test.ts.)

import '../support/slot-index.js';
import { register } from 'coexist';
import { SLOT, SLOT_STRIDE } from 'coexist/abi';
import { describe, expect, test } from 'vitest';
import { bytesOf, type SlotName } from '../support/area-bytes.js';
import { BACKENDS, registerIn, smallArea, startActor } from '../support/backends.js';
import { identityOf, ownIdentity } from '../support/threads.js';

describe.each(BACKENDS)('%s', (backend) => {
  const read = (bytes: ReturnType<typeof bytesOf>, i: number): Record<string, number | bigint> =>
    Object.fromEntries(
      Object.entries(SLOT).map(([name, { type }]) => {
        if (type === 'u32') return [name, name === 'cpu_id' ? bytes.cpuId(i) : bytes.slot(i, name as SlotName)];
        return [
          name,
          name === 'owner'
            ? bytes.owner(i)
            : name === 'holders'
              ? bytes.holders(i)
              : bytes.i64[(bytes.slotAt(i) + 8) / 8]!,
        ];
      }),
    );

  test('of a transient registration, and after its end', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    const actor = await startActor(backend);
    await registerIn(actor, area, { name: 'one' });
    await registerIn(actor, area);
    const live = {
      cpu_id_start: 1,
      cpu_id: 1,
      rseq_cs: 0n,
      flags: 0,
      refcount: 2,
      node_id: 0,
      mm_cid: 1,
      owner: await identityOf(actor),
      generation: 1,
      thread_id: actor.worker.threadId,
      holders: 1n,
      registered_total: 2,
      reserved: 0,
    };
    expect(read(bytes, 1)).toEqual(live);
    await actor.run(({ state }) => {
      for (const registration of state.registrations.splice(0)) registration.unregister();
    });
    expect(read(bytes, 1)).toMatchObject({
      owner: 0n,
      cpu_id: -1,
      cpu_id_start: 0,
      refcount: 0,
      generation: 1,
      registered_total: 2,
    });
    await actor.terminate();
  });

  test('of a permanent owner', () => {
    const area = smallArea(backend);
    register({ area, permanent: true });
    expect(read(bytesOf(area), 0)).toMatchObject({
      cpu_id: 0,
      refcount: 0,
      owner: ownIdentity(),
      generation: 1,
      registered_total: 1,
    });
  });

  test('slots are 128-aligned structs of 128 bytes whose first 24 are the proposed struct rseq with its refcount', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    expect([SLOT_STRIDE, bytes.header('slot_stride'), bytes.header('slot_offset') % 128]).toEqual([128, 128, 0]);
    const first = (Object.keys(SLOT) as SlotName[]).filter((name) => SLOT[name].offset < 24);
    expect(first).toEqual(['cpu_id_start', 'cpu_id', 'rseq_cs', 'flags', 'refcount']);
    expect(first.reduce((sum, name) => sum + SLOT[name].size, 0)).toBe(24);
  });

  test('the library never writes rseq_cs, flags and node_id of a live slot', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    bytes.i64[(bytes.slotAt(0) + SLOT.rseq_cs.offset) / 8] = 0x1234n;
    bytes.setSlot(0, 'flags', 0x55);
    bytes.setSlot(0, 'node_id', 3);
    const nested = register({ area, name: 'nested' });
    expect(area.inspect().slots[0]?.flags).toBe(0x55);
    nested.unregister();
    area.reclaim();
    expect(read(bytes, 0)).toMatchObject({ rseq_cs: 0x1234n, flags: 0x55, node_id: 3, refcount: 1 });
  });
});
