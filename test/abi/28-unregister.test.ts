// Clause 28: unregister, in every state, and the refusals that change nothing.

import '../support/slot-index.js';
import { register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { type AreaBytes, bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openIn, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { ownIdentity, threadAnchor, UNKNOWABLE } from '../support/threads.js';
import { lines, writesOf } from '../support/writes.js';

describe.each(BACKENDS)('%s', (backend) => {
  test.each<[string, (bytes: AreaBytes) => void]>([
    ['the slot belongs to another thread', (b) => b.setOwner(0, UNKNOWABLE)],
    ['the slot is free', (b) => b.setOwner(0, 0n)],
    ['the slot is being prepared', (b) => b.setOwner(0, -ownIdentity())],
    ['the generation is another', (b) => b.setSlot(0, 'generation', 2)],
    ['cpu_id is -1', (b) => b.setSlot(0, 'cpu_id', -1)],
    ['cpu_id is -2', (b) => b.setSlot(0, 'cpu_id', -2)],
  ])('%s: COEXIST_EUNREGISTERED, nothing changed', (_, edit) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    const registration = register({ area });
    edit(bytes);
    const before = bytes.snapshot();
    expect(failure('COEXIST_EUNREGISTERED', () => registration.unregister())).toMatchObject({
      found: { slot: 0, generation: 1 },
    });
    expect(registration.cpuId()).toBe(-1);
    registration[Symbol.dispose]();
    expect(bytes.changed(before)).toEqual([]);
  });

  test('a handle that has ended: COEXIST_EUNREGISTERED; disposal is idempotent', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    const [first, second] = [register({ area }), register({ area })];
    first.unregister();
    second[Symbol.dispose]();
    const before = bytes.snapshot();
    failure('COEXIST_EUNREGISTERED', () => first.unregister());
    failure('COEXIST_EUNREGISTERED', () => second.unregister());
    first[Symbol.dispose]();
    second[Symbol.dispose]();
    expect(bytes.changed(before)).toEqual([]);
    expect(bytes.slot(0, 'refcount')).toBe(1);
  });

  test('a handle of an earlier claim does not count down the present one', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const stale = register({ area });
    // What another copy does at its last unregister.
    bytes.setOwner(0, 0n);
    bytes.setHeader('slot_hint', 0);
    threadAnchor(area)?.set([-1, 0]);
    register({ area });
    expect([bytes.slot(0, 'generation'), bytes.slot(0, 'refcount')]).toEqual([2, 1]);
    const before = bytes.snapshot();
    failure('COEXIST_EUNREGISTERED', () => stale.unregister());
    expect(bytes.changed(before)).toEqual([]);
  });

  test('permanent: success, nothing changed, as often as one likes', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const [permanent, uncounted] = [register({ area, permanent: true }), register({ area })];
    const before = bytes.snapshot();
    for (const registration of [permanent, uncounted, permanent]) {
      registration.unregister();
      registration[Symbol.dispose]();
    }
    expect(bytes.changed(before)).toEqual([]);
    expect(permanent.cpuId()).toBe(0);
  });

  test.each([2, 3, 0x80000000, 0xffffffff])('refcount %i counts one down and nothing else', (refcount) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const registration = register({ area });
    bytes.setSlot(0, 'refcount', refcount);
    const before = bytes.snapshot();
    registration.unregister();
    expect(bytes.slot(0, 'refcount')).toBe(refcount - 1);
    expect(bytes.changed(before)).toEqual(['slot[0].refcount']);
  });

  test('refcount 1: unregistered, freed, the hint lowered', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.plant(0, { owner: UNKNOWABLE });
    const first = register({ area });
    const { lib, area: same } = await openIn('a', backend, area);
    const second = lib.register({ area: same });
    first.unregister();
    expect(bytes.owner(1)).toBe(ownIdentity());
    expect(bytes.header('slot_hint')).toBe(2);
    second.unregister();
    expect([bytes.owner(1), bytes.cpuId(1), bytes.slot(1, 'cpu_id_start'), bytes.slot(1, 'refcount')]).toEqual([
      0n,
      -1,
      0,
      0,
    ]);
    expect([bytes.slot(1, 'generation'), bytes.slot(1, 'registered_total')]).toEqual([1, 2]);
    expect(bytes.header('slot_hint')).toBe(1);
    expect([...(threadAnchor(area) as Int32Array)].slice(0, 2)).toEqual([-1, 0]);
    failure('COEXIST_EUNREGISTERED', () => second.unregister());
  });
});

test('the order of the last one, and the anchor at each step', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  bytes.plant(0, { owner: UNKNOWABLE });
  const registration = register({ area });
  const writes = writesOf(area, () => registration.unregister());
  expect(lines(writes)).toEqual([
    'slot[1].cpu_id = -1',
    'slot[1].cpu_id_start = 0',
    'slot[1].refcount = 0',
    'slot[1].owner = 0',
    'header.slot_hint = 1',
  ]);
  expect(writes.map(({ anchor }) => anchor)).toEqual([
    [1, 1],
    [1, 1],
    [1, 1],
    [-1, 1],
    [-1, 1],
  ]);
});
