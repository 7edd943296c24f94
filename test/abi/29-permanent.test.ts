// Clause 29: permanent owners: first, again, not while others count, until the thread's death.

import '../support/slot-index.js';
import { register } from 'coexist';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openIn, registerIn, smallArea, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { kill } from '../support/threads.js';
import { lines, writesOf } from '../support/writes.js';

describe.each(BACKENDS)('%s', (backend) => {
  test('first: cpu_id >= 0 with refcount 0; again, and by another copy: success', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const first = register({ area, permanent: true });
    expect(first).toMatchObject({ slot: 0, generation: 1, permanent: true });
    expect([bytes.cpuId(0), bytes.slot(0, 'refcount')]).toEqual([0, 0]);
    const before = bytes.snapshot();
    const { lib, area: same } = await openIn('b', backend, area);
    expect(register({ area, permanent: true }).permanent).toBe(true);
    expect(lib.register({ area: same, permanent: true })).toMatchObject({ slot: 0, generation: 1, permanent: true });
    expect(lib.register({ area: same })).toMatchObject({ slot: 0, permanent: true });
    expect(bytes.changed(before)).toEqual([]);
  });

  test('while others count: COEXIST_EBUSY, nothing changed; after them: success', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const { lib, area: same } = await openIn('a', backend, area);
    const others = [register({ area }), lib.register({ area: same })];
    const before = bytes.snapshot();
    expect(failure('COEXIST_EBUSY', () => register({ area, permanent: true }))).toMatchObject({
      found: 2,
      expected: 0,
    });
    expect(bytes.changed(before)).toEqual([]);
    for (const other of others) other.unregister();
    expect(register({ area, permanent: true })).toMatchObject({ slot: 0, generation: 2, permanent: true });
  });

  test('of a slot that was claimed and never registered', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    bytes.setSlot(0, 'cpu_id', -1);
    bytes.setSlot(0, 'refcount', 1);
    expect(register({ area, permanent: true })).toMatchObject({ generation: 1, permanent: true });
    expect([bytes.cpuId(0), bytes.slot(0, 'refcount')]).toEqual([0, 0]);
  });

  test('accessors work on it and never end it', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area, permanent: true });
    const counter = new Counter('c', { area });
    const block = new PerThread('p', { type: 'u8', length: 1, area });
    counter.add(1);
    counter.dispose();
    block.dispose();
    expect([bytes.cpuId(0), bytes.slot(0, 'refcount')]).toEqual([0, 0]);
    expect(area.inspect().slots).toMatchObject([{ slot: 0, refcount: 0, alive: true }]);
  });

  test('only the thread’s death ends it', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const actor = await startActor(backend);
    await registerIn(actor, area, { permanent: true });
    await actor.run(({ state }) => {
      for (let k = 0; k < 3; k++) state.registrations[0]?.unregister();
      state.registrations[0]?.[Symbol.dispose]();
    });
    expect(area.reclaim()).toBe(0);
    expect([bytes.cpuId(0), bytes.slot(0, 'refcount')]).toEqual([0, 0]);
    await kill(actor);
    expect(area.reclaim()).toBe(1);
    expect(bytes.owner(0)).toBe(0n);
    expect(register({ area })).toMatchObject({ slot: 0, generation: 2, permanent: false });
  });
});

test('refcount 0 stands before cpu_id is published', () => {
  const area = smallArea('twin');
  const steps = lines(writesOf(area, () => register({ area, permanent: true }))).filter((step) =>
    step.startsWith('slot[0].'),
  );
  expect(steps.slice(-3)).toEqual(['slot[0].refcount = 0', 'slot[0].cpu_id_start = 0', 'slot[0].cpu_id = 0']);
});
