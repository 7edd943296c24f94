// Clause 55: a pointer leads behind header, slots and directory; an operation follows no other, and changes nothing then.

import { ops, PerCpu } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { BACKENDS, on, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';

describe.each(BACKENDS)('%s', (backend) => {
  describe.each(['cpu', 'slot'] as const)('by %s', (index) => {
    const rig = () => {
      const area = smallArea(backend, { heapBytes: 8192 });
      const words = new Uint32Array(area.buffer);
      const perCpu = on(backend, () => new PerCpu('words', { bytes: 64, index, area }));
      const shard = perCpu.start();
      const v = perCpu.at(shard);
      const least = Math.min(area.geometry.heapOffset, area.geometry.blockOffset);
      return { area, words, perCpu, shard, v, least };
    };

    test('operation 4 adds to no word of the header', () => {
      const { words, perCpu, shard, v } = rig();
      const slotCapacity = 32;
      const before = words[slotCapacity / 4];
      words[v / 4] = v + 16;
      words[v / 4 + 5] = slotCapacity;
      failure('COEXIST_EINVAL', () => ops.load_add_load_load_add_store(perCpu, v, 4, 1, shard));
      expect(words[slotCapacity / 4]).toBe(before);
    });

    test('operations 3 and 4 read no pointer below the first word that they may lead to', () => {
      const { words, perCpu, shard, v, least } = rig();
      words[v / 4] = least - 4;
      failure('COEXIST_EINVAL', () => ops.load_add_load_load_add_store(perCpu, v, 0, 1, shard));
      failure('COEXIST_EINVAL', () => ops.load_cbeq_store_add_load_store(perCpu, v, 0, 0, [0], shard));
      expect(words[v / 4]).toBe(least - 4);
      words[v / 4] = least;
      words[least / 4] = 0;
      const load = [0];
      expect(ops.load_cbeq_store_add_load_store(perCpu, v, 0, 0, load, shard)).toBe(ops.DONE);
      expect([load[0], words[v / 4]]).toEqual([least, 0]);
    });
  });
});
