// Clause 32: objects are repaired by their next user, from the owner they carry; a reclaimer knows none of them and touches
// none. The objects of this version are the directory's entries and the blocks of PerThread and Counter.

import { register } from 'coexist';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { kill, NO_SUCH_THREAD } from '../support/threads.js';

describe.each(BACKENDS)('%s', (backend) => {
  test('a reclaimer touches no heap, no block and no entry', () => {
    const area = smallArea(backend, { heapBytes: 4096 });
    const bytes = bytesOf(area);
    register({ area });
    const heap = bytes.header('heap_offset');
    // What an object of a later version might hold: identities of the dead, in the heap and in blocks.
    for (const at of [heap, heap + 8, bytes.blockAt(1), bytes.blockAt(1) + 64, bytes.blockAt(3)])
      bytes.i64[at / 8] = NO_SUCH_THREAD;
    bytes.setCreator(0, NO_SUCH_THREAD);
    bytes.setEntry(0, 'state', 1);
    bytes.plant(1, { owner: NO_SUCH_THREAD });
    bytes.setHeader('heap_used', 128);
    const before = bytes.snapshot();
    expect(area.reclaim()).toBe(1);
    expect(bytes.changed(before)).toEqual(['slot[1].owner']);
  });

  test('the next user repairs an entry that the dead left, before or after a reclaim', () => {
    for (const reclaimed of [true, false]) {
      const area = smallArea(backend);
      const bytes = bytesOf(area);
      bytes.setCreator(0, NO_SUCH_THREAD);
      bytes.setEntry(0, 'state', 1);
      bytes.plant(2, { owner: NO_SUCH_THREAD });
      if (reclaimed) expect(area.reclaim()).toBe(1);
      const counter = new Counter('repaired', { area });
      counter.add(4);
      expect([bytes.entry(0, 'state'), bytes.entryName(0), counter.sum()]).toEqual([2, 'repaired', 4n]);
    }
  });

  test('content carries (slot, generation): the next owner of a slot starts anew, or goes on, by itself', async () => {
    const area = smallArea(backend, { slots: 1 });
    const bytes = bytesOf(area);
    const actor = await startActor(backend);
    await actor.run(
      async ({ load, state }, { url, memory }) => {
        const { openArea, Counter, PerThread } = await load(url);
        const area = openArea(memory);
        const fresh = new PerThread('fresh', { type: 'u32', length: 2, fresh: true, area });
        fresh.own.fill(7);
        const counter = new Counter('counter', { area });
        counter.add(40);
        state['kept'] = [fresh, counter];
      },
      { url: copyUrl('a', 'core.js'), memory: memoryOf(area) },
    );
    await kill(actor);
    const before = bytes.snapshot();
    expect(area.reclaim()).toBe(1);
    expect(bytes.changed(before)).toEqual(['header.slot_hint', 'slot[0].owner']);
    const fresh = new PerThread('fresh', { type: 'u32', length: 2, fresh: true, area });
    const counter = new Counter('counter', { area });
    counter.add(2);
    expect([[...fresh.own], counter.sum()]).toEqual([[0, 0], 42n]);
  });
});
