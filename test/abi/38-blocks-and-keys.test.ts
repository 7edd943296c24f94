// Clause 38: slot i owns its block; a key is the same 64-byte aligned range in every block, which only that slot's thread writes.

import { register } from 'coexist';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { UNKNOWABLE } from '../support/threads.js';

const CANARY = 0xc5;

describe.each(BACKENDS)('%s', (backend) => {
  const withCanaries = (slot: number) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    for (let i = 0; i < slot; i++) bytes.plant(i, { owner: UNKNOWABLE });
    bytes.u8.fill(CANARY, bytes.blockAt(0), bytes.blockAt(4));
    return { area, bytes };
  };

  test.each([0, 1, 3])('slot %i: keys lie in its own block, aligned, and nothing else is written', (slot) => {
    const { area, bytes } = withCanaries(slot);
    const before = bytes.snapshot();
    const plain = new PerThread('plain', { type: 'u8', length: 10, area });
    const fresh = new PerThread('fresh', { type: 'u32', length: 3, fresh: true, area });
    const counter = new Counter('counter', { area });
    plain.own.fill(1);
    fresh.own.fill(2);
    counter.add(3);
    expect([0, 1, 2].map((k) => bytes.entry(k, 'offset'))).toEqual([0, 64, 128]);
    expect(plain.slot).toBe(slot);
    const start = bytes.blockAt(slot);
    const written = new Set<number>();
    for (let at = bytes.blockAt(0); at < bytes.blockAt(4); at++)
      if (bytes.u8[at] !== before[at]) written.add(at - start);
    const expected = [...Array(10).keys()];
    for (let k = 64; k < 64 + 8 + 12; k++) if (k < 68 || k >= 72) expected.push(k);
    for (let k = 128; k < 136; k++) expected.push(k);
    // A byte of the counter may come out as it was.
    for (const at of written) expect(expected).toContain(at);
    for (const at of expected.slice(0, 10 + 4 + 12)) expect(written).toContain(at);
    expect(bytes.changed(before).filter((name) => name.startsWith('block'))).toEqual([`block[${slot}]`]);
  });

  test('the last key ends where the next block begins, and does not touch it', () => {
    const { area, bytes } = withCanaries(1);
    new PerThread('all', { type: 'i64', length: 512, area }).own.fill(-1n);
    const block = (i: number): Set<number> => new Set(bytes.u8.slice(bytes.blockAt(i), bytes.blockAt(i + 1)));
    expect([0, 1, 2, 3].map((i) => [...block(i)])).toEqual([[CANARY], [0xff], [CANARY], [CANARY]]);
    failure('COEXIST_EINVAL', () => new PerThread('too long', { type: 'i64', length: 513, area }));
    failure('COEXIST_EINVAL', () => new PerThread('too long', { type: 'i64', length: 512, fresh: true, area }));
  });

  test('every thread writes its own block and reads all', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const mine = new PerThread('shared', { type: 'u32', length: 2, area });
    mine.own[0] = 10;
    const actors = await Promise.all([startActor(backend), startActor(backend)]);
    const slots: number[] = [];
    for (const [k, actor] of actors.entries()) {
      slots.push(
        await actor.run(
          async ({ load, state }, { url, memory, k }) => {
            const { openArea, PerThread } = await load(url);
            const block = new PerThread('shared', { type: 'u32', length: 2, area: openArea(memory) });
            state['block'] = block;
            block.own[0] = 11 + k;
            return block.slot;
          },
          { url: copyUrl(k === 0 ? 'a' : 'b', 'core.js'), memory: memoryOf(area), k },
        ),
      );
    }
    expect(slots).toEqual([1, 2]);
    expect([...mine.blocks()].map(({ slot, generation, view }) => [slot, generation, ...view])).toEqual([
      [0, 1, 10, 0],
      [1, 1, 11, 0],
      [2, 1, 12, 0],
    ]);
    expect([0, 1, 2].map((i) => bytes.u32[bytes.blockAt(i) / 4])).toEqual([10, 11, 12]);
    expect(mine.array[mine.indexOf(2)]).toBe(12);
    for (const actor of actors) await actor.terminate();
  });

  test('registration alone writes no block', () => {
    const { area, bytes } = withCanaries(0);
    const before = bytes.snapshot();
    register({ area, name: 'lib' }).unregister();
    expect(bytes.changed(before).filter((name) => name.startsWith('block'))).toEqual([]);
  });
});
