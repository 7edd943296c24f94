// Clause 13: fields that end beyond feature_size or header_feature_size do not exist: the library does without them, and
// what lies there in memory stays as it is. Longer structs of a later version are reset whole.

import { register } from 'coexist';
import { SLOT } from 'coexist/abi';
import { Counter } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { ownIdentity } from '../support/threads.js';

const PATTERN = 0xa5;

describe.each(BACKENDS)('%s', (backend) => {
  test.each([44, 47, 48, 50, 56, 57, 60, 61, 64, 96, 127, 128])('slot structs of %i bytes', (size) => {
    const area = openForged(backend, (bytes) => {
      bytes.setHeader('feature_size', size);
      const at = bytes.slotAt(0);
      bytes.u8.fill(PATTERN, at, at + 128);
      bytes.setOwner(0, 0n);
      bytes.setSlot(0, 'generation', 6);
      if (size >= 60) bytes.setSlot(0, 'registered_total', 40);
    });
    const bytes = bytesOf(area);
    const registration = register({ area, name: 'named' });
    expect(registration).toMatchObject({ slot: 0, generation: 7 });

    const at = bytes.slotAt(0);
    const beyond = bytes.u8.slice(at + size, at + 128);
    expect(beyond.every((byte) => byte === PATTERN)).toBe(true);
    const exists = ({ offset, size: length }: { offset: number; size: number }): boolean => size >= offset + length;
    const [row] = area.inspect().slots;
    expect(row?.threadId).toBe(exists(SLOT.thread_id) ? 0 : -1);
    expect(row?.holders).toEqual(exists(SLOT.holders) ? ['named'] : []);
    expect(row?.registeredTotal).toBe(exists(SLOT.registered_total) ? 41 : 0);
    // Bytes up to the size that belong to no field known and existing are reset like the others.
    const known = new Set<number>();
    for (const field of Object.values(SLOT)) {
      if (exists(field) && field !== SLOT.reserved) for (let k = 0; k < field.size; k++) known.add(field.offset + k);
    }
    for (let k = 0; k < size; k++) if (!known.has(k)) expect([k, bytes.u8[at + k]]).toEqual([k, 0]);

    registration.unregister();
    expect(bytes.owner(0)).toBe(0n);
    expect(bytes.u8.slice(at + size, at + 128)).toEqual(beyond);
  });

  test.each([
    { gate: 72, hint: false, keys: false },
    { gate: 76, hint: false, keys: false },
    { gate: 80, hint: false, keys: true },
    { gate: 83, hint: false, keys: true },
    { gate: 84, hint: true, keys: true },
    { gate: 4092, hint: true, keys: true },
  ])('headers of $gate bytes', ({ gate, hint, keys }) => {
    const area = openForged(backend, (bytes) => {
      bytes.setHeader('header_feature_size', gate);
      if (!keys) bytes.setHeader('block_used', 0x0badbad0);
      if (!hint) bytes.setHeader('slot_hint', 0x0badbad4);
    });
    const bytes = bytesOf(area);
    const first = register({ area, name: 'named' });
    expect([first.slot, bytes.owner(0)]).toEqual([0, ownIdentity()]);
    if (keys) {
      const counter = new Counter('counted', { area });
      counter.add(2);
      expect(counter.sum()).toBe(2n);
      counter.dispose();
      expect(bytes.header('block_used')).toBe(64);
    } else {
      const before = bytes.snapshot();
      failure('COEXIST_ENOSPC', () => new Counter('counted', { area }));
      expect(bytes.changed(before)).toEqual([]);
      expect(bytes.header('block_used')).toBe(0x0badbad0);
    }
    first.unregister();
    expect(area.reclaim()).toBe(0);
    expect(register({ area }).slot).toBe(0);
    if (hint) expect(bytes.header('slot_hint')).toBe(1);
    else expect(bytes.header('slot_hint')).toBe(0x0badbad4);
  });

  test('slot_stride is room, not a promise: a wider stride moves slots, not fields', () => {
    const area = openForged(
      backend,
      (bytes) => {
        bytes.setHeader('slot_stride', 256);
        bytes.setHeader('slot_capacity', 2);
        bytes.plant(0, { owner: 1n << 61n });
      },
      { slots: 4 },
    );
    const bytes = bytesOf(area);
    const before = bytes.snapshot();
    expect(register({ area }).slot).toBe(1);
    expect(bytes.slotAt(1)).toBe(4096 + 256);
    expect(bytes.owner(1)).toBe(ownIdentity());
    expect(bytes.changed(before).every((name) => /^(header|slot\[1\])\./.test(name))).toBe(true);
  });
});
