// Clause 26: full is said only after every owner word was read, the dead were swept, and every word was read again; then nothing
// has changed.

import { register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, registerIn, smallArea, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { kill, NO_SUCH_THREAD, ownIdentity, threadAnchor, UNKNOWABLE } from '../support/threads.js';

describe.each(BACKENDS)('%s', (backend) => {
  test('all slots held by the living and the unknowable: COEXIST_EFULL, nothing changed', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const actor = await startActor(backend);
    await registerIn(actor, area);
    bytes.plant(1, { owner: UNKNOWABLE });
    bytes.plant(2, { owner: -UNKNOWABLE });
    bytes.plant(3, { owner: UNKNOWABLE, cpu_id: -1 });
    for (const hint of [0, 2, 4, 0xffffffff]) {
      bytes.setHeader('slot_hint', hint);
      const before = bytes.snapshot();
      for (const permanent of [false, true]) {
        const error = failure('COEXIST_EFULL', () => register({ area, permanent }));
        expect(error.found).toBe(4);
        expect(error.remedy).toContain('COEXIST_SLOTS');
      }
      expect(bytes.changed(before)).toEqual([]);
    }
    expect([...(threadAnchor(area) as Int32Array)].slice(0, 2)).toEqual([-1, 0]);

    bytes.setOwner(2, 0n);
    expect(register({ area }).slot).toBe(2);
    await actor.terminate();
  });

  test.each([
    ['owned', NO_SUCH_THREAD],
    ['prepared', -NO_SUCH_THREAD],
  ])('a slot that a dead thread %s is swept and taken, wherever it lies', (_, owner) => {
    for (const dead of [0, 1, 3]) {
      for (const hint of [0, 2, 4]) {
        const area = smallArea(backend);
        const bytes = bytesOf(area);
        for (const i of [0, 1, 2, 3]) bytes.plant(i, { owner: i === dead ? owner : UNKNOWABLE });
        bytes.setHeader('slot_hint', hint);
        expect(register({ area })).toMatchObject({ slot: dead, generation: 2 });
        expect(bytes.owner(dead)).toBe(ownIdentity());
      }
    }
  });

  test('a thread that died takes no slot with it, time after time', async () => {
    const area = smallArea(backend, { slots: 1 });
    const bytes = bytesOf(area);
    for (let round = 1; round <= 3; round++) {
      const actor = await startActor(backend);
      expect(await registerIn(actor, area)).toMatchObject({ slot: 0, generation: round });
      failure('COEXIST_EFULL', () => register({ area }));
      await kill(actor);
    }
    const registration = register({ area });
    expect(registration).toMatchObject({ slot: 0, generation: 4 });
    const late = await startActor(backend);
    await expect(registerIn(late, area)).rejects.toMatchObject({ code: 'COEXIST_EFULL' });
    registration.unregister();
    expect(await registerIn(late, area)).toMatchObject({ slot: 0, generation: 5 });
    expect(bytes.header('slot_high_water')).toBe(1);
    await late.terminate();
  });

  test('who holds a slot already needs no other', () => {
    const area = smallArea(backend, { slots: 1 });
    register({ area });
    expect(register({ area })).toMatchObject({ slot: 0, generation: 1 });
    expect(bytesOf(area).slot(0, 'refcount')).toBe(2);
  });
});
