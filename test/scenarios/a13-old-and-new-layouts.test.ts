// A13, an old copy and a new one: layouts of different length work together, a field exists iff the feature size reaches its
// end, in both orders of loading. Restated: the layout belongs to the area, so "old" and "new" are areas whose creator knew
// 48, 64 or 128 bytes of the slot, and an old copy that knows 44. What is shorter than that (20, 24, 32 bytes once were whole
// layouts) cannot carry owner and generation, and is refused.

import '../support/slot-index.js';
import { type Area, openArea, register } from 'coexist';
import { Counter } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { type ChildContext, inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';
import { handMadeArea, oldCopy } from '../support/old-copy.js';
import { bytesOf, endOf, rawSlot, SLOT, slotAt, stateOf } from '../support/slot.js';

const DIRT = 0xee;
const untouched = (bytes: Buffer): boolean => bytes.every((byte) => byte === DIRT);
const slotBytes = (area: Area, slot: number): Buffer =>
  bytesOf(area, slotAt(area, slot), slotAt(area, slot) + area.geometry.slotStride);

describe.each([44, 48, 56, 64, 70, 128])('a slot struct of %i bytes', (featureSize) => {
  test.each([
    ['shared memory, the old copy first', false, true],
    ['shared memory, the new copy first', false, false],
    ['wasm memory, the old copy first', true, true],
    ['wasm memory, the new copy first', true, false],
  ])('%s', (_, wasm, oldFirst) => {
    const memory = handMadeArea({ featureSize, wasm });
    const old = oldCopy(memory);
    const area = openArea(memory as SharedArrayBuffer);
    const count = (): number | undefined => area.inspect().slots[0]?.refcount;

    const ends: (() => void)[] = [];
    const enter = {
      old: (): number => {
        const slot = old.register();
        ends.push(() => old.unregister(slot));
        return slot;
      },
      new: (): number => {
        const handle = register({ area, name: 'new' });
        ends.push(() => handle.unregister());
        return handle.slot;
      },
    };
    const order = oldFirst ? (['old', 'new', 'old', 'new'] as const) : (['new', 'old', 'new', 'old'] as const);
    for (const [k, who] of order.entries()) {
      expect(enter[who]()).toBe(0);
      expect(count()).toBe(k + 1);
    }

    // Everything the struct holds was reset by whoever claimed; nothing behind it was touched by anyone.
    const bytes = slotBytes(area, 0);
    expect(untouched(bytes.subarray(featureSize))).toBe(true);
    expect(rawSlot(area, 0)).toMatchObject({
      flags: 0,
      rseq_cs: 0n,
      node_id: 0,
      mm_cid: 0,
      cpu_id: 0,
      cpu_id_start: 0,
    });
    expect(bytes.readUInt32LE(40)).toBe(0xeeeeeeef);
    if (featureSize > 64) expect(bytes.subarray(64, featureSize).every((byte) => byte === 0)).toBe(true);
    const [row] = area.inspect().slots;
    expect(row?.holders).toEqual(featureSize >= endOf(SLOT.holders) ? ['new'] : []);
    expect(row?.threadId).toBe(featureSize >= endOf(SLOT.thread_id) ? 0 : -1);
    const total = rawSlot(area, 0).registered_total;
    expect(total).toBe(featureSize >= endOf(SLOT.registered_total) ? (0xeeeeeeee + 2) >>> 0 : 0xeeeeeeee);

    for (const [k, end] of ends.entries()) {
      end();
      expect(count()).toBe(k === 3 ? undefined : 3 - k);
    }
    expect(rawSlot(area, 0)).toMatchObject({ owner: 0n, cpu_id: -1, cpu_id_start: 0, refcount: 0 });
    expect(untouched(slotBytes(area, 1).subarray(0, 32))).toBe(true);
  });
});

test.each([0, 20, 24, 28, 32, 40, 43, 129, 4096])(
  'a slot struct of %i bytes in 128 is refused, nothing changed',
  (size) => {
    const memory = handMadeArea({ featureSize: size }) as SharedArrayBuffer;
    const before = Buffer.from(new Uint8Array(memory).slice());
    expect(() => openArea(memory)).toThrow(expect.objectContaining({ code: 'COEXIST_EABI' }));
    expect(Buffer.compare(before, Buffer.from(new Uint8Array(memory).slice()))).toBe(0);
  },
);

describe('header fields exist iff header_feature_size reaches their end', () => {
  test('80: no slot_hint, so nobody touches it', () => {
    const area = openArea(handMadeArea({ featureSize: 64, headerFeatureSize: 80 }) as SharedArrayBuffer);
    const first = register({ area });
    first.unregister();
    const second = register({ area });
    expect(second).toMatchObject({ slot: 0, generation: first.generation + 1 });
    expect(untouched(bytesOf(area, 80, 84))).toBe(true);
    second.unregister();
  });

  test('76: no block_used, so there are no keys, and all else works', () => {
    const area = openArea(handMadeArea({ featureSize: 64, headerFeatureSize: 76 }) as SharedArrayBuffer);
    const held = register({ area, name: 'held' });
    const before = stateOf(area);
    expect(() => new Counter('c', { area })).toThrow(expect.objectContaining({ code: 'COEXIST_ENOSPC' }));
    expect(stateOf(area)).toBe(before);
    expect(untouched(bytesOf(area, 76, 84))).toBe(true);
    held.unregister();
  });
});

describe.each(['', '1'])('the whole process on an area that a hand anchored, COEXIST_NO_WASM=%j', (noWasm) => {
  test.each([48, 64, 128, 32])('%i bytes', async (featureSize) => {
    // The anchor is there before any copy is loaded: another implementation came first.
    const step = async (
      { load }: ChildContext,
      { urls, bytes }: { urls: string[]; bytes: string },
    ): Promise<Record<string, unknown>> => {
      const workerThreads = process.getBuiltinModule('node:worker_threads');
      const content = process.getBuiltinModule('node:zlib').gunzipSync(Buffer.from(bytes, 'base64'));
      const memory = new SharedArrayBuffer(content.length);
      new Uint8Array(memory).set(content);
      Reflect.defineProperty(workerThreads, Symbol.for('coexist.area.v1'), { value: memory });
      const [a, b] = [await load(urls[0] as string), await load(urls[1] as string)];
      try {
        const handles = [b.register({ name: 'b' }), a.register({ name: 'a' })];
        const counter = new a.Counter('c');
        counter.add(3);
        const [row] = a.attach().inspect().slots;
        const inherited = workerThreads.getEnvironmentData('coexist.area.v1') === (memory as unknown);
        const { featureSize } = a.attach().geometry;
        for (const handle of handles) handle.unregister();
        return { featureSize, refcount: row?.refcount, inherited, sum: Number(counter.sum()) };
      } catch (error) {
        return { code: (error as { code: string }).code, attached: a.probe().attached };
      }
    };
    const { gzipSync } = process.getBuiltinModule('node:zlib');
    const area = new Uint8Array(handMadeArea({ featureSize, dirt: 0 }) as SharedArrayBuffer).slice();
    const args = { urls: [copyUrl('a', 'core.js'), copyUrl('b', 'core.js')], bytes: gzipSync(area).toString('base64') };
    const { result, stderr } = await inChild(step, args, { env: { COEXIST_NO_WASM: noWasm } });
    expect(result, stderr).toEqual(
      featureSize >= 44
        ? { featureSize, refcount: 3, inherited: true, sum: 3 }
        : { code: 'COEXIST_EABI', attached: false },
    );
  });
});
