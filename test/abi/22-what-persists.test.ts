// Clause 22: generation counts claims and registered_total registrations; both outlive owners and reclaim.

import { register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openIn, registerIn, smallArea, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { kill, NO_SUCH_THREAD } from '../support/threads.js';

describe.each(BACKENDS)('%s', (backend) => {
  const pair = (bytes: ReturnType<typeof bytesOf>, i = 0): [number, number] => [
    bytes.slot(i, 'generation'),
    bytes.slot(i, 'registered_total'),
  ];

  test('grow by one for each claim and each registration, of whatever copy and thread', async () => {
    const area = smallArea(backend, { slots: 1 });
    const bytes = bytesOf(area);
    expect(pair(bytes)).toEqual([0, 0]);
    const first = register({ area });
    const { lib, area: same } = await openIn('b', backend, area);
    lib.register({ area: same }).unregister();
    expect(pair(bytes)).toEqual([1, 2]);
    first.unregister();
    expect(pair(bytes)).toEqual([1, 2]);
    register({ area }).unregister();
    expect(pair(bytes)).toEqual([2, 3]);

    const actor = await startActor(backend);
    expect(await registerIn(actor, area)).toMatchObject({ generation: 3 });
    await kill(actor);
    area.reclaim();
    expect(pair(bytes)).toEqual([3, 4]);
    expect(register({ area }).generation).toBe(4);
    expect(pair(bytes)).toEqual([4, 5]);
  });

  test('the generation skips 0', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.setSlot(0, 'generation', 0xfffffffe);
    const generations: number[] = [];
    for (let k = 0; k < 3; k++) {
      const registration = register({ area });
      generations.push(registration.generation);
      registration.unregister();
    }
    expect(generations).toEqual([0xffffffff, 1, 2]);
  });

  test('a permanent owner counts once, later registrations took no effect', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area, permanent: true });
    register({ area, permanent: true });
    register({ area });
    expect(pair(bytes)).toEqual([1, 1]);
  });

  test('refused registrations count nothing', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    failure('COEXIST_EBUSY', () => register({ area, permanent: true }));
    bytes.setSlot(0, 'refcount', 0xffffffff);
    failure('COEXIST_EOVERFLOW', () => register({ area }));
    bytes.setSlot(0, 'cpu_id', -2);
    failure('COEXIST_EFAILED', () => register({ area }));
    expect(pair(bytes)).toEqual([1, 1]);
  });

  test('reclaim touches neither', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.plant(2, { owner: NO_SUCH_THREAD, generation: 77 });
    bytes.setSlot(2, 'registered_total', 88);
    expect(area.reclaim()).toBe(1);
    expect(pair(bytes, 2)).toEqual([77, 88]);
  });

  test('registered_total wraps as a 32-bit word', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.setSlot(0, 'registered_total', 0xffffffff);
    register({ area });
    expect(pair(bytes)).toEqual([1, 0]);
  });
});
