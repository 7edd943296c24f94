// A creator that finishes its directory entry and then dies, while another thread looks at it, has finished it: the entry is
// not taken over (docs/ABI.md, clause 35). The window is held open by an Atomics that acts between two looks.

import { createArea } from 'coexist';
import { ENTRY, ENTRY_CREATING, ENTRY_READY, KINDS, viewsOf } from 'coexist/abi';
import { Counter } from 'coexist/percpu';
import { expect, test } from 'vitest';
import { deadIdentity } from '../support/stepper.js';

test('an entry that became ready between the look and the proof of death is left alone', async () => {
  const dead = await deadIdentity();
  const area = createArea({ slots: 2, heapBytes: 0, blockBytes: 4096 });
  const { i32, i64, u8 } = viewsOf(area.buffer);
  const at = area.geometry.directoryOffset;
  const state = (at + ENTRY.state.offset) >>> 2;
  const put = (field: { offset: number }, value: number) => Atomics.store(i32, (at + field.offset) >>> 2, value);
  Atomics.store(i64, at >>> 3, dead);
  put(ENTRY.state, ENTRY_CREATING);

  const real = Atomics.load;
  let looks = 0;
  const finishAfterFirstLook = ((array: Int32Array, index: number) => {
    const value = real(array, index);
    if (array.buffer === area.buffer && array.BYTES_PER_ELEMENT === 4 && index === state && looks++ === 0) {
      const name = new TextEncoder().encode('theirs');
      put(ENTRY.kind, KINDS.counter.number);
      put(ENTRY.version, 1);
      put(ENTRY.size, 8);
      put(ENTRY.offset, 128);
      put(ENTRY.name_length, name.length);
      u8.set(name, at + ENTRY.name.offset);
      put(ENTRY.state, ENTRY_READY);
    }
    return value;
  }) as typeof Atomics.load;
  Atomics.load = finishAfterFirstLook;
  try {
    new Counter('ours', { area }).dispose();
  } finally {
    Atomics.load = real;
  }
  expect(looks).toBeGreaterThan(1);
  expect(real(i64, at >>> 3)).toBe(dead);
  expect(real(i32, (at + ENTRY.offset.offset) >>> 2)).toBe(128);
  const theirs = new Counter('theirs', { area });
  theirs.add(5);
  expect(real(i64, (area.geometry.blockOffset + 128) >>> 3)).toBe(5n);
  theirs.dispose();
});
