// Clause 54: how many CPUs there are is settled once for all; an object has a shard for each, or is a key with one for each slot. Where
// shards and their words lie is computed here from the page.

import { register } from 'coexist';
import { Counter, ops, PerCpu, PerCpuBuffer, PerCpuCounter, PerCpuList, PerCpuLock, PerThread } from 'coexist/percpu';
import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, openIn, smallArea, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import {
  contentAt,
  cpuWordOf,
  entryOf,
  INDEXES,
  INJECTED,
  type Index,
  injectedIn,
  objectOf,
  perCpuArea,
  wordsIn,
} from '../support/per-cpu.js';
import { ownIdentity } from '../support/threads.js';

const X = ownIdentity();

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const roomy = () => smallArea(backend, { heapBytes: 600_000 });

  describe('coexist.cpus', () => {
    test('is made by the first object by CPU, with what that found, from 1 to 4096', () => {
      const area = roomy();
      new PerCpu('by slot', { bytes: 4, index: 'slot', area });
      expect(entryOf(area, 'coexist.cpus')).toBeUndefined();
      const perCpu = on(backend, () => new PerCpu('by cpu', { bytes: 4, area }));
      const cpus = objectOf(area, 'coexist.cpus');
      expect(cpus).toMatchObject({ kind: 10, version: 1, size: 4, flags: 0 });
      const count = wordsIn(area).get(cpus.offset);
      expect(count).toBeGreaterThanOrEqual(1);
      expect(count).toBeLessThanOrEqual(4096);
      expect(perCpu.shards).toBe(count);
    });

    test.each([1, 3, 4096])('%i CPUs that another has found stand', (cpus) => {
      const area = perCpuArea(backend, { cpus, heapBytes: 600_000 });
      const at = objectOf(area, 'coexist.cpus').offset;
      const perCpu = on(backend, () => new PerCpu('words', { bytes: 4, area }));
      expect([perCpu.shards, wordsIn(area).get(at)]).toEqual([cpus, cpus]);
    });

    test.each([2 ** 20 - 16, 2 ** 20 - 16 - 64, 2 ** 24])(
      '%i bytes for each of 4096 CPUs are more than 32 bits can say, or nearly: COEXIST_ENOSPC, nothing made',
      (bytes) => {
        const area = perCpuArea(backend, { cpus: 4096 });
        const before = bytesOf(area).snapshot();
        failure('COEXIST_ENOSPC', () => on(backend, () => new PerCpu('words', { bytes, area })));
        expect(bytesOf(area).changed(before)).toEqual([]);
      },
    );

    test('of two threads that look at once, the first decides for both', async () => {
      const area = perCpuArea(backend, { cpus: 0 });
      const at = objectOf(area, 'coexist.cpus').offset;
      const original = Atomics.compareExchange;
      const cas = vi.spyOn(Atomics, 'compareExchange').mockImplementation(((...args: Parameters<typeof original>) => {
        // Another thread was faster.
        if (args[0].BYTES_PER_ELEMENT === 4 && args[1] === at / 4) wordsIn(area).set(at, 3);
        return original(...args);
      }) as never);
      const perCpu = on(backend, () => new PerCpu('words', { bytes: 4, area }));
      cas.mockRestore();
      expect([perCpu.shards, wordsIn(area).get(at)]).toEqual([3, 3]);
    });
  });

  describe('by cpu', () => {
    test.each([
      [4, 64],
      [48, 64],
      [52, 128],
      [112, 128],
      [116, 192],
    ])('%i bytes: shards %i bytes apart, behind 64 bytes that say so', (bytes, stride) => {
      const area = perCpuArea(backend, { cpus: 3 });
      const perCpu = on(backend, () => new PerCpu('words', { bytes, version: 9, area }));
      const { offset, ...entry } = objectOf(area, 'words');
      expect(entry).toEqual({ kind: 11, version: 9, size: 64 + 3 * stride, flags: 0 });
      const head = wordsIn(area).list(offset, 16);
      expect(head).toEqual([3, stride, ...Array(14).fill(0)]);
      for (const shard of [0, 1, 2]) {
        expect(perCpu.at(shard)).toBe(offset + 64 + shard * stride + 16);
        expect(perCpu.at(shard)).toBe(contentAt(area, 'words', 'cpu', shard));
      }
      expect([perCpu.shards, perCpu.bytes, perCpu.index]).toEqual([3, bytes, 'cpu']);
      for (const shard of [-1, 3, 0.5, Number.NaN]) {
        expect(failure('COEXIST_EINVAL', () => perCpu.at(shard)).found).toBe(shard);
      }
    });

    test.each(['shards', 'stride'])('another value in %s: COEXIST_EKIND, nothing changed', (field) => {
      const area = perCpuArea(backend);
      on(backend, () => new PerCpu('words', { bytes: 4, area })).dispose();
      const bytes = bytesOf(area);
      wordsIn(area).set(objectOf(area, 'words').offset + (field === 'shards' ? 0 : 4), 1);
      const before = bytes.snapshot();
      const { found, expected } = failure('COEXIST_EKIND', () =>
        on(backend, () => new PerCpu('words', { bytes: 4, area })),
      );
      expect([found, expected]).toEqual([1, field === 'shards' ? 2 : 64]);
      expect(bytes.changed(before)).toEqual([]);
      expect(bytes.owner(0)).toBe(0n);
    });

    test('the CPU’s word is the mutex at the beginning of its shard', async () => {
      const area = perCpuArea(backend);
      const { lib, area: same, at } = await injectedIn(backend, area);
      const perCpu = on(backend, () => new lib.PerCpu('words', { bytes: 16, area: same }));
      const [own, other] = [cpuWordOf(area, 'words', 0), cpuWordOf(area, 'words', 1)];
      expect(own.at + 16).toBe(perCpu.at(0));
      const seen: unknown[] = [];
      at((point) => point === 5 && seen.push([own.words(), other.words()]));
      const v = perCpu.at(0);
      expect(lib.ops.load_cbne_store_store(perCpu, v, 0, v + 4, 1, 1, 0)).toBe(lib.ops.DONE);
      at(undefined);
      expect(seen).toEqual([[{ owner: X, token: 1 }, {}]]);
      expect([own.words(), other.words()]).toEqual([{ token: 1 }, {}]);
    });

    test('the shard of a thread is that of the CPU number in its slot, modulo the shards', () => {
      const area = perCpuArea(backend, { cpus: 3 });
      const perCpu = on(backend, () => new PerCpu('words', { bytes: 4, area }));
      for (const [cpu, shard] of [
        [0, 0],
        [2, 2],
        [3, 0],
        [1000, 1],
      ] as const) {
        bytesOf(area).setSlot(0, 'cpu_id', cpu);
        expect(perCpu.start(), `on CPU ${cpu}`).toBe(shard);
        for (const other of [0, 1, 2]) {
          const expected = other === shard ? ops.DONE : ops.ABORTED;
          expect(ops.load_add_store(perCpu, perCpu.at(other), 1, other)).toBe(expected);
        }
      }
      expect([0, 1, 2].map((shard) => wordsIn(area).get(perCpu.at(shard)))).toEqual([2, 1, 1]);
    });

    test('several threads at one shard, in two copies and backends: nothing depends on the number being right', async () => {
      const area = perCpuArea(backend, { cpus: 1 });
      const actors = await Promise.all([startActor('wasm'), startActor('twin'), startActor(backend)]);
      const TIMES = 1500;
      const runs = actors.map((actor) =>
        actor.run(
          async ({ load }, { url, memory, times }) => {
            const lib = await load(url);
            const perCpu = new lib.PerCpu('words', { bytes: 16, area: lib.openArea(memory) });
            const [v] = [perCpu.at(0)];
            let aborted = 0;
            for (let n = 0; n < times; n++) {
              for (;;) {
                const shard = perCpu.start();
                const old = Atomics.load(
                  new Int32Array(memory instanceof SharedArrayBuffer ? memory : memory.buffer),
                  v >>> 2,
                );
                const status = lib.ops.load_cbne_store_store(perCpu, v, old, v + 4, old + 1, old + 1, shard);
                if (status === lib.ops.DONE) break;
                aborted++;
              }
              while (lib.ops.load_add_store(perCpu, v + 8, 1, perCpu.start()) !== lib.ops.DONE) aborted++;
            }
            return aborted;
          },
          { url: INJECTED, memory: memoryOf(area), times: TIMES },
        ),
      );
      const aborted = await Promise.all(runs);
      const at = contentAt(area, 'words', 'cpu', 0);
      expect(wordsIn(area).list(at, 3), `aborted or beaten: ${aborted}`).toEqual([3 * TIMES, 3 * TIMES, 3 * TIMES]);
      expect(cpuWordOf(area, 'words', 0).read('owner')).toBe(0n);
      for (const actor of actors) await actor.terminate();
    });
  });

  describe('by slot', () => {
    test('the object is a key, and the shard of a thread its own block', async () => {
      const area = perCpuArea(backend);
      new PerThread('first', { type: 'u8', length: 100, area });
      const perCpu = on(backend, () => new PerCpu('words', { bytes: 20, index: 'slot', version: 5, area }));
      expect(objectOf(area, 'words')).toEqual({ kind: 2, version: 5, size: 20, offset: 128, flags: 0 });
      expect([perCpu.shards, perCpu.start(), perCpu.index]).toEqual([4, 0, 'slot']);
      for (const shard of [0, 1, 2, 3]) expect(perCpu.at(shard)).toBe(bytesOf(area).blockAt(shard) + 128);
      // Whatever CPU the thread is on.
      bytesOf(area).setSlot(0, 'cpu_id', 1);
      expect(perCpu.start()).toBe(0);
      const actor = await startActor(backend);
      const theirs = await actor.run(
        async ({ load, state }, { url, memory }) => {
          const lib = await load(url);
          const perCpu = new lib.PerCpu('words', { bytes: 20, index: 'slot', version: 5, area: lib.openArea(memory) });
          state['kept'] = perCpu;
          const shard = perCpu.start();
          const add = (shard: number): number => lib.ops.load_add_store(perCpu, perCpu.at(shard) + 16, 7, shard);
          return [shard, add(0), add(shard)];
        },
        { url: INJECTED, memory: memoryOf(area) },
      );
      expect(theirs).toEqual([1, ops.ABORTED, ops.DONE]);
      expect([0, 1].map((shard) => wordsIn(area).get(perCpu.at(shard) + 16))).toEqual([0, 7]);
      await actor.terminate();
    });
  });

  describe.each(INDEXES)('by %s, too', (index: Index) => {
    const make = (options: object = {}): PerCpu =>
      on(backend, () => new PerCpu('words', { bytes: 16, index, area, ...options }));
    let area = perCpuArea(backend);

    test('the same name is the same object, in every copy', async () => {
      area = perCpuArea(backend);
      const perCpu = make();
      const { lib, area: same } = await openIn('a', backend === 'wasm' ? 'twin' : 'wasm', area);
      const theirs = new lib.PerCpu('words', { bytes: 16, index, area: same });
      expect([theirs.at(0), theirs.at(1), theirs.shards]).toEqual([perCpu.at(0), perCpu.at(1), perCpu.shards]);
    });

    test.each([
      ['version', { version: 2 }],
      ['size', { bytes: 256 }],
      ['kind', { index: index === 'cpu' ? 'slot' : 'cpu' }],
    ])('another %s: COEXIST_EKIND, nothing changed', (_, options) => {
      area = perCpuArea(backend);
      make().dispose();
      const before = bytesOf(area).snapshot();
      failure('COEXIST_EKIND', () => make(options));
      expect(bytesOf(area).changed(before)).toEqual([]);
      expect(bytesOf(area).owner(0)).toBe(0n);
    });

    test('names of counters, keys and structures are taken', () => {
      area = perCpuArea(backend);
      on(backend, () => {
        new Counter('a counter', { area });
        new PerThread('a key', { type: 'u32', length: 16, version: 7, area });
        new PerCpuList('a list', { index, area });
        new PerCpuBuffer('a buffer', { capacity: 2, index, area });
        new PerCpuLock('a lock', { index, area });
      });
      for (const name of ['a counter', 'a key', 'a list', 'a buffer', 'a lock']) {
        failure('COEXIST_EKIND', () => new PerCpu(name, { bytes: 16, index, area }));
      }
      make();
      failure('COEXIST_EKIND', () => new PerCpuList('words', { index, area }));
      failure('COEXIST_EKIND', () => new PerCpuBuffer('words', { capacity: 2, index, area }));
      failure('COEXIST_EKIND', () => new PerCpuLock('words', { index, area }));
      failure('COEXIST_EKIND', () => new PerCpuCounter('words', { area }));
    });

    test('what no object can be: COEXIST_EINVAL, nothing changed', () => {
      area = perCpuArea(backend);
      const before = bytesOf(area).snapshot();
      for (const bytes of [0, 2, 3, 6, -4, 4.5, Number.NaN, '16', 2 ** 25])
        failure('COEXIST_EINVAL', () => make({ bytes }));
      for (const version of [65536, -1, 0.5, Number.NaN]) failure('COEXIST_EINVAL', () => make({ version }));
      failure('COEXIST_EINVAL', () => make({ index: 'node' }));
      for (const name of ['', 'x'.repeat(81), 3]) {
        failure('COEXIST_EINVAL', () => new PerCpu(name as string, { bytes: 4, index, area }));
      }
      expect(bytesOf(area).changed(before)).toEqual([]);
    });

    test('versions up to 65535 are the user’s', () => {
      area = perCpuArea(backend);
      make({ version: 65535 });
      expect(objectOf(area, 'words').version).toBe(65535);
    });

    test('no room: COEXIST_ENOSPC, and the thread is not registered', () => {
      area = perCpuArea(backend, { heapBytes: 256 });
      failure('COEXIST_ENOSPC', () => make({ bytes: 8192 }));
      expect([bytesOf(area).owner(0), entryOf(area, 'words')]).toEqual([0n, undefined]);
    });

    test('making it registers the thread; disposing of it ends that, once', () => {
      area = perCpuArea(backend);
      const other = register({ area });
      const perCpu = make({ holder: 'my-lib' });
      expect(bytesOf(area).slot(0, 'refcount')).toBe(2);
      expect(area.inspect().slots[0]?.holders).toEqual(['my-lib']);
      perCpu.dispose();
      perCpu.dispose();
      perCpu[Symbol.dispose]();
      expect(bytesOf(area).slot(0, 'refcount')).toBe(1);
      expect(perCpu.start()).toBe(-1);
      other.unregister();
      expect(bytesOf(area).owner(0)).toBe(0n);
    });
  });

  test('a thread whose slot was unregistered once too often stays inside the object', () => {
    const area = perCpuArea(backend);
    const counter = on(backend, () => new PerCpuCounter('counted', { area }));
    const bytes = bytesOf(area);
    for (const cpuId of [0xffffffff, 0xfffffffe]) {
      bytes.setSlot(0, 'cpu_id', cpuId);
      counter.add(1);
      counter.add(2 ** 40);
    }
    expect(counter.sum()).toBe(2n + 2n ** 41n);
    const { offset } = objectOf(area, 'counted');
    expect(wordsIn(area).list(offset, 16)).toEqual([2, 64, ...Array(14).fill(0)]);
  });
});
