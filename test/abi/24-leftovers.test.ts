// Clause 24: slots that an interrupted transition, or a dead thread with the same identity, left under this thread's identity.

import '../support/slot-index.js';
import { register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged, smallArea } from '../support/backends.js';
import { ownIdentity, threadAnchor, UNKNOWABLE } from '../support/threads.js';
import { lines, writesOf } from '../support/writes.js';

const id = ownIdentity();

describe.each(BACKENDS)('%s', (backend) => {
  const interrupted = (owner: bigint) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area }).unregister();
    bytes.plant(0, { owner: UNKNOWABLE });
    bytes.plant(2, { owner, refcount: 5, generation: 9, cpu_id: 2 });
    (threadAnchor(area) as Int32Array).set([-1, 1]);
    return { area, bytes };
  };

  test.each([
    ['+identity', id],
    ['-identity', -id],
  ])('after an interruption, %s is reused under a new generation, its counts never adopted', (_, owner) => {
    const { area, bytes } = interrupted(owner);
    const registration = register({ area });
    expect(registration).toMatchObject({ slot: 2, generation: 10 });
    expect([bytes.slot(2, 'refcount'), bytes.cpuId(2), bytes.holders(2)]).toEqual([1, 2, 0n]);
    expect([0, 1, 2, 3].map((i) => bytes.owner(i))).toEqual([UNKNOWABLE, 0n, id, 0n]);
    registration.unregister();
    expect(bytes.owner(2)).toBe(0n);
    expect([...(threadAnchor(area) as Int32Array)].slice(0, 2)).toEqual([-1, 0]);
  });

  test('an anchor that names a live slot of its own has no leftover', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    register({ area });
    (threadAnchor(area) as Int32Array)[1] = 1;
    expect(register({ area })).toMatchObject({ slot: 0, generation: 1 });
    expect(bytes.slot(0, 'refcount')).toBe(3);
  });

  test('without the mark nobody looks: the claim goes by the hint', () => {
    const { area, bytes } = interrupted(id);
    (threadAnchor(area) as Int32Array)[1] = 0;
    expect(register({ area }).slot).toBe(1);
    expect(bytes.slot(2, 'refcount')).toBe(5);
  });

  test('above high water nobody looks', () => {
    const { area, bytes } = interrupted(id);
    bytes.setHeader('slot_high_water', 2);
    expect(register({ area }).slot).toBe(1);
  });

  test.each([
    ['+identity', id],
    ['-identity', -id],
  ])('a new anchor: %s of a dead thread with the same identity does not stay, and is not counted on', (_, owner) => {
    const area = openForged(backend, (bytes) => {
      bytes.plant(0, { owner: UNKNOWABLE });
      bytes.plant(1, { owner, refcount: 7, generation: 3 });
      bytes.plant(3, { owner, refcount: 0, generation: 5 });
    });
    const bytes = bytesOf(area);
    expect(threadAnchor(area)).toBeUndefined();
    const registration = register({ area });
    expect(registration).toMatchObject({ slot: 1, generation: 4 });
    expect([bytes.slot(1, 'refcount'), bytes.cpuId(1)]).toEqual([1, 1]);
    expect([0, 1, 2, 3].map((i) => bytes.owner(i))).toEqual([UNKNOWABLE, id, 0n, 0n]);
    expect(registration.permanent).toBe(false);
  });

  test('a leftover is taken where the table is full otherwise', () => {
    const area = openForged(backend, (bytes) => {
      for (const i of [0, 1, 3]) bytes.plant(i, { owner: UNKNOWABLE });
      bytes.plant(2, { owner: -id, refcount: 4, generation: 1 });
      bytes.setHeader('slot_hint', 4);
    });
    expect(register({ area })).toMatchObject({ slot: 2, generation: 2 });
  });
});

test('a leftover is held as -identity while it is reset', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  register({ area }).unregister();
  bytes.plant(0, { owner: id, refcount: 5, generation: 9 });
  (threadAnchor(area) as Int32Array).set([-1, 1]);
  const steps = lines(writesOf(area, () => register({ area })));
  expect(steps[0]).toBe(`slot[0].owner = ${-id}`);
  const given = steps.indexOf(`slot[0].owner = ${id}`);
  expect(steps.slice(1, given)).toEqual(expect.arrayContaining(['slot[0].refcount = 0', 'slot[0].generation = 10']));
});
