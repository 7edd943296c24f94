// Clause 14: geometry is read from the header; the creator takes it from the main thread's environment, by bridge too; a value
// out of bounds creates nothing; a private area is published nowhere.

import { register } from 'coexist';
import { Counter } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged } from '../support/backends.js';
import { inProcess, type Tools } from '../support/own-process.js';
import { UNKNOWABLE } from '../support/threads.js';

describe.each(BACKENDS)('%s', (backend) => {
  const environment = { COEXIST_NO_WASM: backend === 'twin' ? '1' : '0' };

  test('parts in another order, at other places, are found through the header alone', () => {
    // blocks | heap | slots | directory, with room between them.
    const area = openForged(backend, (bytes) => {
      bytes.setHeader('slot_capacity', 2);
      bytes.setHeader('block_offset', 8192);
      bytes.setHeader('block_stride', 8192);
      bytes.setHeader('heap_offset', 24576 + 128);
      bytes.setHeader('heap_size', 64);
      bytes.setHeader('slot_offset', 32768);
      bytes.setHeader('directory_offset', 65536);
      bytes.setHeader('directory_capacity', 3);
    });
    const bytes = bytesOf(area);
    bytes.plant(0, { owner: UNKNOWABLE });
    const counter = new Counter('moved', { area, holder: 'library' });
    counter.add(9);
    expect(area.geometry).toMatchObject({ slotOffset: 32768, blockOffset: 8192, directoryCapacity: 3 });
    expect(bytes.u32[(32768 + 128 + 20) / 4]).toBe(1);
    expect(bytes.i64[(8192 + 8192) / 8]).toBe(9n);
    expect([bytes.entryName(0), bytes.entryName(1)]).toEqual(['moved', 'library:library']);
    expect(counter.sum()).toBe(9n);
  });

  test.each(['attach', 'bridge'])('COEXIST_SLOTS and COEXIST_BLOCK of the main thread, by %s', async (by) => {
    const create = async ({ load, urls, actor, threads, AREA }: Tools, by: string) => {
      // A worker's own environment decides nothing.
      const worker = await actor({ env: { ...process.env, COEXIST_SLOTS: '9', COEXIST_BLOCK: '4096' } });
      if (by === 'attach') (await load(urls.a)).attach();
      else await worker.run(async ({ load }, url) => void (await load(url)).attach(), urls.a);
      await worker.terminate();
      const value = threads[AREA] as { buffer: SharedArrayBuffer };
      const u32 = new Uint32Array(value.buffer ?? value);
      return [u32[8], u32[11]];
    };
    const cases = [
      [{}, [1024, 16384]],
      [{ COEXIST_SLOTS: '1' }, [1, 16384]],
      [{ COEXIST_SLOTS: '16384', COEXIST_BLOCK: '4096' }, [16384, 4096]],
      [{ COEXIST_SLOTS: '7', COEXIST_BLOCK: '65536' }, [7, 65536]],
    ] as const;
    const outcomes = await Promise.all(
      cases.map(([env]) => inProcess(create, { env: { ...environment, ...env }, args: by })),
    );
    expect(outcomes.map(({ result }) => result)).toEqual(cases.map(([, expected]) => expected));
  });

  test('a value out of bounds is COEXIST_EINVAL and creates nothing, by bridge too', async () => {
    const { result } = await inProcess(
      async ({ load, urls, actor, threads, AREA, failure }) => {
        const lib = await load(urls.a);
        const worker = await actor();
        const bad = {
          COEXIST_SLOTS: ['0', '16385', '-1', '1.5', '0x10', 'many', '1e3', ' 8'],
          COEXIST_BLOCK: ['0', '2048', '4095', '5000', 'x'],
        };
        const wrong: unknown[] = [];
        let checked = 0;
        for (const [name, values] of Object.entries(bad)) {
          for (const value of values) {
            process.env[name] = value;
            const here = await failure(() => lib.attach());
            const there = await failure(() =>
              worker.run(async ({ load }, url) => void (await load(url)).attach(), urls.a),
            );
            const nothing = threads[AREA] === undefined && threads.getEnvironmentData('coexist.area.v1') === undefined;
            if (here?.code !== 'COEXIST_EINVAL' || there?.code !== 'COEXIST_EINVAL' || !nothing)
              wrong.push({ name, value, here, there });
            checked++;
          }
          delete process.env[name];
        }
        const after = lib.attach().geometry.slotCapacity;
        await worker.terminate();
        return { wrong, checked, after };
      },
      { env: environment },
    );
    expect(result).toEqual({ wrong: [], checked: 13, after: 1024 });
  });

  test('a private area is anchored and published nowhere, and no default of the process applies to it', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, AREA, THREAD }) => {
        const lib = await load(urls.a);
        const area = lib.createArea({ heapBytes: 0 });
        const slot = lib.register({ area }).slot;
        const own = Symbol.for(`coexist.thread.v1.${area.id.toString(16).padStart(8, '0')}`);
        return {
          slot,
          area: threads[AREA] === undefined,
          inherited: threads.getEnvironmentData('coexist.area.v1') === undefined,
          attached: lib.probe().attached,
          anchors: [threads[THREAD] !== undefined, (threads[own] as Int32Array)[0]],
          capacity: area.geometry.slotCapacity,
        };
      },
      { env: { ...environment, COEXIST_SLOTS: '5' } },
    );
    expect(result).toEqual({
      slot: 0,
      area: true,
      inherited: true,
      attached: false,
      anchors: [true, 0],
      capacity: 1024,
    });
  });
});

test('registrations in private areas and their copies do not mix', () => {
  const [one, two] = [openForged('wasm', () => {}), openForged('twin', () => {})];
  register({ area: one });
  register({ area: one });
  register({ area: two });
  expect([bytesOf(one).slot(0, 'refcount'), bytesOf(two).slot(0, 'refcount')]).toEqual([2, 1]);
});
