// Clause 19: one load of cpu_id says whether the thread is registered, and as what; -2 is the host's refusal and stays.

import '../support/slot-index.js';
import { register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openIn, registerIn, smallArea, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { kill, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const id = ownIdentity();

describe.each(BACKENDS)('%s', (backend) => {
  test('cpu_id decides, whatever refcount says', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.plant(0, { owner: UNKNOWABLE, cpu_id: -1, refcount: 9 });
    bytes.plant(1, { owner: UNKNOWABLE, cpu_id: -2, refcount: 9 });
    bytes.plant(2, { owner: UNKNOWABLE, cpu_id: 7, refcount: 0 });
    bytes.plant(3, { owner: UNKNOWABLE, cpu_id: 0, refcount: 9 });
    const rows = area.inspect().slots.map(({ slot, cpuId, refcount }) => [slot, cpuId, refcount]);
    expect(rows).toEqual([
      [2, 7, 0],
      [3, 0, 9],
    ]);
  });

  test('without a CPU number the slot’s own index is published', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const main = register({ area });
    const actor = await startActor(backend);
    await registerIn(actor, area);
    for (const i of [0, 1]) {
      expect([bytes.cpuId(i), bytes.slot(i, 'cpu_id_start'), bytes.slot(i, 'mm_cid')]).toEqual([i, i, i]);
    }
    expect(main.cpuId()).toBe(0);
    main.unregister();
    expect(main.cpuId()).toBe(-1);
    await actor.terminate();
  });

  test('a cpu number that another implementation published is kept and read', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const registration = register({ area });
    bytes.setSlot(0, 'cpu_id', 5);
    bytes.setSlot(0, 'cpu_id_start', 5);
    register({ area }).unregister();
    expect([registration.cpuId(), bytes.slot(0, 'cpu_id_start')]).toEqual([5, 5]);
    expect(area.inspect().slots[0]).toMatchObject({ cpuId: 5, cpuIdStart: 5 });
  });

  test('-2 is sticky until the thread ends, for every copy; the next owner starts anew', async () => {
    const area = smallArea(backend, { slots: 1 });
    const bytes = bytesOf(area);
    const actor = await startActor(backend);
    await registerIn(actor, area);
    bytes.setSlot(0, 'cpu_id', -2);
    bytes.setSlot(0, 'refcount', 0);
    const before = bytes.snapshot();
    for (const copy of ['a', 'b', 'a'] as const) {
      await expect(registerIn(actor, area, {}, copy)).rejects.toMatchObject({ code: 'COEXIST_EFAILED' });
      await expect(registerIn(actor, area, { permanent: true }, copy)).rejects.toMatchObject({
        code: 'COEXIST_EFAILED',
      });
    }
    await expect(actor.run(({ state }) => state.registrations[0]?.unregister())).rejects.toMatchObject({
      code: 'COEXIST_EUNREGISTERED',
    });
    expect(bytes.changed(before)).toEqual([]);
    await kill(actor);
    expect(register({ area })).toMatchObject({ slot: 0, generation: 2 });
    expect([bytes.cpuId(0), bytes.slot(0, 'refcount'), bytes.owner(0)]).toEqual([0, 1, id]);
  });

  test.each([-2, -3, -0x80000000])('%i in the own slot: what is found and expected', (cpuId) => {
    const area = smallArea(backend);
    register({ area });
    bytesOf(area).setSlot(0, 'cpu_id', cpuId);
    expect(failure('COEXIST_EFAILED', () => register({ area }))).toMatchObject({ found: cpuId, expected: -1 });
  });

  test('while owner is 0 the other fields mean nothing', async () => {
    const area = smallArea(backend, { slots: 1 });
    const bytes = bytesOf(area);
    bytes.plant(0, { owner: 0n, cpu_id: -2, refcount: 0xffffffff, generation: 9 });
    expect(area.inspect().slots).toEqual([]);
    const { lib, area: same } = await openIn('b', backend, area);
    expect(lib.register({ area: same })).toMatchObject({ slot: 0, generation: 10 });
    expect([bytes.cpuId(0), bytes.slot(0, 'refcount')]).toEqual([0, 1]);
  });
});
