// Clause 2: bytes that no table assigns are zero and written by nobody, and four header fields mean the same in every major
// version. A workload runs over reserved bytes that hold a pattern, which only a write could change.

import { openArea, register } from 'coexist';
import { HEADER } from 'coexist/abi';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, registerIn, smallArea, startActor, unregisterIn } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { kill, NO_SUCH_THREAD } from '../support/threads.js';

const ENTRIES = 8;

function reserved(area: Parameters<typeof bytesOf>[0]): number[] {
  const bytes = bytesOf(area);
  const places: number[] = [];
  const range = (from: number, to: number): void => {
    for (let at = from; at < to; at++) places.push(at);
  };
  range(64, 72);
  range(84, 4092);
  for (let i = 0; i < bytes.header('slot_capacity'); i++) range(bytes.slotAt(i) + 64, bytes.slotAt(i) + 128);
  for (let k = 0; k < ENTRIES; k++) range(bytes.entryAt(k) + 36, bytes.entryAt(k) + 48);
  return places;
}

describe.each(BACKENDS)('%s', (backend) => {
  test.each([0, 0xa5])('reserved bytes that hold %i hold it after everything', async (pattern) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const places = reserved(area);
    expect(places.every((at) => bytes.u8[at] === 0)).toBe(true);
    for (const at of places) bytes.u8[at] = pattern;

    const first = register({ area, name: 'first' });
    const counter = new Counter('counter', { area });
    const stamped = new PerThread('stamped', { type: 'u32', length: 5, fresh: true, area });
    counter.add(5);
    const actor = await startActor(backend);
    await registerIn(actor, area, { name: 'second' });
    await registerIn(actor, area);
    await unregisterIn(actor);
    await kill(actor);
    bytes.plant(3, { owner: -NO_SUCH_THREAD });
    expect(area.reclaim()).toBe(2);
    area.inspect();
    stamped.dispose();
    counter.dispose();
    first.unregister();
    register({ area, permanent: true });

    expect(places.filter((at) => bytes.u8[at] !== pattern)).toEqual([]);
  });

  test('bytes between the parts of an area are never written', () => {
    const area = smallArea(backend, { heapBytes: 64 });
    const bytes = bytesOf(area);
    const [from, to] = [bytes.header('heap_offset') + 64, bytes.header('block_offset')];
    expect(to).toBeGreaterThan(from);
    bytes.u8.fill(0x5a, from, to);
    new Counter('edge', { area }).add(1);
    expect(bytes.u8.slice(from, to).every((byte) => byte === 0x5a)).toBe(true);
  });

  test('the stable prefix says which contract an area of another major follows, and which area it is', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    expect([HEADER.magic.offset, HEADER.abi_major.offset, HEADER.area_id.offset, HEADER.conflict.offset]).toEqual([
      0, 4, 16, 20,
    ]);
    expect(bytes.u32[4]).toBe(area.id);
    bytes.u32[5] = 77;
    expect(area.inspect()).toMatchObject({ areaId: area.id, conflicted: true, conflict: 77 });
    const foreign = new SharedArrayBuffer(area.buffer.byteLength);
    new Uint8Array(foreign).fill(0xee);
    new Uint32Array(foreign).set([0x51455352, 2]);
    expect(failure('COEXIST_EABI', () => openArea(foreign))).toMatchObject({ found: 2, expected: 1 });
    expect(openArea(memoryOf(area)).id).toBe(area.id);
  });
});
