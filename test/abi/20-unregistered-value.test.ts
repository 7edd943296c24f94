// Clause 20: the unregistered value, which a claim writes over whatever the last owner left, unknown fields included. The
// stage between claim and registration is observed from inside the operations that the twin does.

import '../support/slot-index.js';
import { register } from 'coexist';
import { SLOT } from 'coexist/abi';
import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged } from '../support/backends.js';
import { ownIdentity } from '../support/threads.js';

describe.each(BACKENDS)('%s', (backend) => {
  test.each([64, 100, 128])('nothing of a previous owner survives in a struct of %i bytes', (size) => {
    for (const pattern of [0xff, 0x01, 0x80]) {
      const area = openForged(backend, (bytes) => {
        bytes.setHeader('feature_size', size);
        for (const i of [0, 1, 2, 3]) bytes.u8.fill(pattern, bytes.slotAt(i), bytes.slotAt(i) + 128);
        for (const i of [0, 1, 3]) bytes.setOwner(i, 1n << 61n);
        bytes.setOwner(2, 0n);
        bytes.setSlot(2, 'generation', 41);
        bytes.setSlot(2, 'registered_total', 17);
      });
      const bytes = bytesOf(area);
      const before = bytes.snapshot();
      expect(register({ area })).toMatchObject({ slot: 2, generation: 42 });
      const at = bytes.slotAt(2);
      const view = new DataView(new Uint8Array(size).buffer);
      view.setUint32(SLOT.cpu_id_start.offset, 2, true);
      view.setUint32(SLOT.cpu_id.offset, 2, true);
      view.setUint32(SLOT.refcount.offset, 1, true);
      view.setUint32(SLOT.mm_cid.offset, 2, true);
      view.setBigInt64(SLOT.owner.offset, ownIdentity(), true);
      view.setUint32(SLOT.generation.offset, 42, true);
      view.setUint32(SLOT.registered_total.offset, 18, true);
      expect([...bytes.u8.slice(at, at + size)]).toEqual([...new Uint8Array(view.buffer)]);
      expect([...bytes.u8.slice(at + size, at + 128)]).toEqual(Array(128 - size).fill(pattern));
      expect(bytes.changed(before).every((name) => /^(header|slot\[2\])\./.test(name))).toBe(true);
    }
  });

  test('a permanent owner starts from it too', () => {
    const area = openForged(backend, (bytes) => {
      bytes.u8.fill(0xff, bytes.slotAt(0), bytes.slotAt(0) + 64);
      bytes.setOwner(0, 0n);
    });
    const bytes = bytesOf(area);
    register({ area, permanent: true });
    expect([bytes.slot(0, 'refcount'), bytes.cpuId(0), bytes.holders(0), bytes.slot(0, 'flags')]).toEqual([
      0,
      0,
      0n,
      0,
    ]);
  });
});

test('between claim and registration the slot has it, under its owner and a new generation', () => {
  const area = openForged('twin', (bytes) => {
    bytes.u8.fill(0xff, bytes.slotAt(0), bytes.slotAt(0) + 64);
    bytes.setOwner(0, 0n);
    bytes.setSlot(0, 'generation', 4);
    bytes.setSlot(0, 'registered_total', 3);
  });
  const bytes = bytesOf(area);
  const store = Atomics.store as (array: Int32Array, index: number, value: number) => number;
  let between: Uint8Array | undefined;
  const spy = vi.spyOn(Atomics, 'store').mockImplementation(((array: Int32Array, index: number, value: number) => {
    // The first write behind the claim: the owner is this thread already.
    if (between === undefined && bytes.owner(0) > 0n) between = bytes.u8.slice(bytes.slotAt(0), bytes.slotAt(0) + 64);
    return store.call(Atomics, array, index, value);
  }) as never);
  register({ area });
  spy.mockRestore();
  const view = new DataView(new ArrayBuffer(64));
  view.setInt32(SLOT.cpu_id.offset, -1, true);
  view.setUint32(SLOT.mm_cid.offset, 0, true);
  view.setBigInt64(SLOT.owner.offset, ownIdentity(), true);
  view.setUint32(SLOT.generation.offset, 5, true);
  // The main thread's id.
  view.setUint32(SLOT.thread_id.offset, 0, true);
  view.setUint32(SLOT.registered_total.offset, 3, true);
  expect([...(between ?? [])]).toEqual([...new Uint8Array(view.buffer)]);
});
