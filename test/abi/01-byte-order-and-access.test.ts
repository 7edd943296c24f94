// Clause 1: little-endian fields, Atomics for everything but owner-only plain fields, signed cpu ids, Int32 waits. The twin's
// accesses are recorded by putting wrappers around Atomics; wasm has no such seam, its effect on the bytes is compared.

import { createArea, register } from 'coexist';
import { ENTRY, HEADER, SLOT } from 'coexist/abi';
import { Counter } from 'coexist/percpu';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, on, smallArea } from '../support/backends.js';
import { UNKNOWABLE } from '../support/threads.js';

afterEach(() => void vi.restoreAllMocks());

describe.each(BACKENDS)('%s', (backend) => {
  test('fields are little-endian', () => {
    const area = smallArea(backend);
    register({ area });
    const view = new DataView(area.buffer);
    const at = view.getUint32(HEADER.slot_offset.offset, true);
    expect(new TextDecoder().decode(new Uint8Array(area.buffer).slice(0, 4))).toBe('RSEQ');
    expect(view.getUint32(HEADER.slot_capacity.offset, true)).toBe(4);
    expect(view.getUint32(HEADER.area_id.offset, true)).toBe(area.id);
    expect(view.getUint32(at + SLOT.refcount.offset, true)).toBe(1);
    expect(view.getBigInt64(at + SLOT.owner.offset, true)).toBe(bytesOf(area).owner(0));
  });

  test('cpu ids compare as signed', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.plant(0, { owner: UNKNOWABLE, cpu_id: 0xffffffff });
    bytes.plant(1, { owner: UNKNOWABLE, cpu_id: 0x80000000 });
    bytes.plant(2, { owner: UNKNOWABLE, cpu_id: 0x7fffffff });
    expect(area.inspect().slots.map(({ slot, cpuId }) => ({ slot, cpuId }))).toEqual([{ slot: 2, cpuId: 0x7fffffff }]);
  });
});

test('every byte that changes is written with Atomics, but for registered_total and the own cell', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  const before = bytes.snapshot();
  const written = new Set<number>();
  for (const name of ['store', 'compareExchange', 'exchange', 'or', 'add', 'sub'] as const) {
    const original = Atomics[name] as (array: Int32Array, ...rest: number[]) => number;
    vi.spyOn(Atomics, name as 'store').mockImplementation(((array: Int32Array, index: number, ...rest: number[]) => {
      if (array.buffer === (area.buffer as unknown)) {
        const at = array.byteOffset + index * array.BYTES_PER_ELEMENT;
        for (let k = 0; k < array.BYTES_PER_ELEMENT; k++) written.add(at + k);
      }
      return original.call(Atomics, array, index, ...rest);
    }) as never);
  }
  register({ area, name: 'one' });
  register({ area, name: 'two' }).unregister();
  new Counter('counted', { area }).add(3);
  vi.restoreAllMocks();

  const plain = new Set<string>();
  const names = bytes.changed(before);
  for (let at = 0; at < before.length; at++) {
    if (before[at] === bytes.u8[at] || written.has(at)) continue;
    const one = before.slice();
    for (let k = 0; k < one.length; k++) if (k !== at) one[k] = bytes.u8[k] as number;
    plain.add(bytes.changed(one)[0] as string);
  }
  expect([...plain].sort()).toEqual(['block[0]', 'slot[0].registered_total']);
  expect(names).toEqual(
    expect.arrayContaining(['header.slot_high_water', 'slot[0].owner', 'slot[0].holders', 'entry[2].state']),
  );
});

test('the word that is waited on is viewed as Int32', () => {
  const area = on('twin', () => createArea({ slots: 1, blockBytes: 4096, heapBytes: 0 }));
  const bytes = bytesOf(area);
  bytes.setCreator(0, UNKNOWABLE);
  const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
  register({ area, name: 'waits for the unfinished entry' });
  expect(wait).toHaveBeenCalled();
  for (const [array, index] of wait.mock.calls) {
    expect(Object.prototype.toString.call(array)).toBe('[object Int32Array]');
    expect(array.buffer).toBe(area.buffer);
    expect(index).toBe((bytes.entryAt(0) + ENTRY.state.offset) >>> 2);
  }
});
