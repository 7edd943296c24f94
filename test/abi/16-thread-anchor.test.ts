// Clause 16: the thread anchor: four words that every copy of a thread shares, of the process's area and of each private one.

import '../support/slot-index.js';
import { openArea, register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openIn, smallArea } from '../support/backends.js';
import { inProcess } from '../support/own-process.js';
import { ownIdentity, threadAnchor, UNKNOWABLE } from '../support/threads.js';

const id = ownIdentity();
const words = (identity: bigint): [number, number] => [Number(BigInt.asIntN(32, identity)), Number(identity >> 32n)];

describe.each(BACKENDS)('%s', (backend) => {
  test('follows the slot through register and unregister', () => {
    const area = smallArea(backend);
    bytesOf(area).plant(0, { owner: UNKNOWABLE });
    expect(threadAnchor(area)).toBeUndefined();
    const first = register({ area });
    const anchor = threadAnchor(area) as Int32Array;
    expect([...anchor]).toEqual([1, 0, ...words(id)]);
    const second = register({ area });
    expect([...anchor]).toEqual([1, 0, ...words(id)]);
    first.unregister();
    expect([...anchor]).toEqual([1, 0, ...words(id)]);
    second.unregister();
    expect([...anchor]).toEqual([-1, 0, ...words(id)]);
    expect(threadAnchor(area)).toBe(anchor);
  });

  test('the slot in it is a hint: void unless the owner is this thread', () => {
    for (const wrong of [0, 2, 3, 4, 1000, 0x7fffffff, -5]) {
      const area = smallArea(backend);
      const bytes = bytesOf(area);
      bytes.plant(0, { owner: UNKNOWABLE, refcount: 3 });
      bytes.plant(2, { owner: id ^ (1n << 40n), refcount: 3 });
      area.reclaim();
      register({ area }).unregister();
      (threadAnchor(area) as Int32Array)[0] = wrong;
      const before = [bytes.slot(0, 'refcount'), bytes.owner(0)];
      const { slot } = register({ area });
      expect(bytes.owner(slot)).toBe(id);
      expect([bytes.slot(slot, 'refcount'), bytes.cpuId(slot)]).toEqual([1, slot]);
      expect([bytes.slot(0, 'refcount'), bytes.owner(0)]).toEqual(before);
      expect(threadAnchor(area)?.[0]).toBe(slot);
    }
  });

  test('copies that share it share the slot; the later copy finds it', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const first = register({ area });
    const anchor = threadAnchor(area);
    for (const copy of ['a', 'b'] as const) {
      const { lib, area: same } = await openIn(copy, backend, area);
      expect(lib.register({ area: same })).toMatchObject({ slot: first.slot, generation: first.generation });
    }
    expect(bytes.slot(first.slot, 'refcount')).toBe(3);
    expect(threadAnchor(area)).toBe(anchor);
    expect(openArea(area.memory ?? area.buffer).id).toBe(area.id);
  });

  const env = { COEXIST_NO_WASM: backend === 'twin' ? '1' : '0' };

  test('of the process’s area: coexist.thread.v1; of a private one: with its id in eight hexadecimal digits', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads }) => {
        const [a, b] = [await load(urls.a), await load(urls.b)];
        a.attach();
        a.register();
        b.register();
        const model = a.createArea({ slots: 2, blockBytes: 4096, heapBytes: 0 });
        const buffer = new SharedArrayBuffer(model.buffer.byteLength);
        new Uint8Array(buffer).set(new Uint8Array(model.buffer));
        new Uint32Array(buffer)[4] = 0xab;
        b.register({ area: b.openArea(buffer) });
        const anchors = Object.getOwnPropertySymbols(threads)
          .map((symbol) => symbol.description ?? '')
          .filter((key) => key.startsWith('coexist.thread'));
        return anchors.map((key) => {
          const descriptor = Object.getOwnPropertyDescriptor(threads, Symbol.for(key));
          const { value, writable, configurable, enumerable } = descriptor ?? {};
          return {
            key,
            flags: [writable, configurable, enumerable],
            brand: String(Object.prototype.toString.call(value)),
            words: [...value],
          };
        });
      },
      { env },
    );
    const flags = [false, false, false];
    const brand = '[object Int32Array]';
    expect(result).toEqual([
      { key: 'coexist.thread.v1', flags, brand, words: [0, 0, expect.any(Number), expect.any(Number)] },
      { key: 'coexist.thread.v1.000000ab', flags, brand, words: [0, 0, expect.any(Number), expect.any(Number)] },
    ]);
    expect(result[0]?.words).toEqual(result[1]?.words);
  });

  test('an area with the id of the anchored one is the process’s area, however its memory was come by', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, actor }) => {
        const [a, b] = [await load(urls.a), await load(urls.b)];
        const area = a.attach();
        a.register();
        const opened = b.openArea(area.buffer);
        const slots = [b.register({ area: opened }).slot];
        const worker = await actor();
        // Before this worker attaches: environment data says which area is the process's.
        const inWorker = await worker.run(
          async ({ load }, { urls, memory }) => {
            const [a, b] = [await load(urls.a), await load(urls.b)];
            const slots = [a.register({ area: a.openArea(memory) }).slot, b.register().slot, a.register().slot];
            return {
              slots,
              refcount: b
                .attach()
                .inspect()
                .slots.find(({ slot }) => slot === slots[0])?.refcount,
            };
          },
          { urls, memory: area.memory ?? area.buffer },
        );
        await worker.terminate();
        const anchors = Object.getOwnPropertySymbols(threads).filter(({ description }) =>
          description?.startsWith('coexist.thread'),
        );
        return { slots, refcount: area.inspect().slots[0]?.refcount, inWorker, anchors: anchors.length };
      },
      { env },
    );
    expect(result).toEqual({ slots: [0], refcount: 2, inWorker: { slots: [1, 1, 1], refcount: 3 }, anchors: 1 });
  });

  test('the first definer wins: every copy uses the identity that it finds', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, THREAD }) => {
        const identity = (1n << 61n) | 99n;
        const anchor = Int32Array.of(-1, 0, 99, 1 << 29);
        Reflect.defineProperty(threads, THREAD, { value: anchor });
        const [a, b] = [await load(urls.a), await load(urls.b)];
        const area = a.attach();
        const slots = [a.register().slot, b.register().slot];
        const hidden = a.createArea({ slots: 1, blockBytes: 4096, heapBytes: 0 });
        a.register({ area: hidden });
        const owner = (it: typeof area) => new BigInt64Array(it.buffer)[(4096 + 32) / 8] === identity;
        return {
          slots,
          owners: [owner(area), owner(hidden)],
          anchor: [...anchor],
          alive: area.inspect().slots[0]?.alive,
        };
      },
      { env },
    );
    expect(result).toEqual({ slots: [0, 0], owners: [true, true], anchor: [0, 0, 99, 1 << 29], alive: null });
  });

  test('what is no Int32Array(4) is COEXIST_EANCHOR: nothing is attached, nothing is claimed', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, THREAD, failure }) => {
        Reflect.defineProperty(threads, THREAD, { value: 'taken' });
        const lib = await load(urls.a);
        const codes = [await failure(() => lib.attach()), await failure(() => lib.register())].map(
          (error) => error?.code,
        );
        return { codes, attached: lib.probe().attached };
      },
      { env },
    );
    expect(result).toEqual({ codes: ['COEXIST_EANCHOR', 'COEXIST_EANCHOR'], attached: false });
  });

  test('where no property can be defined any more, what is attached goes on, and a private area is COEXIST_EANCHOR', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, failure }) => {
        const lib = await load(urls.a);
        lib.attach();
        const area = lib.createArea({ slots: 2 });
        Object.preventExtensions(threads);
        const before = new Uint8Array(area.buffer).slice(0, 8192);
        const codes = [await failure(() => lib.register({ area })), await failure(() => area.reclaim())].map(
          (error) => error?.code,
        );
        const after = new Uint8Array(area.buffer).slice(0, 8192);
        const registration = lib.register();
        const { slot } = registration;
        registration.unregister();
        return { codes, unchanged: before.every((byte, k) => byte === after[k]), slot };
      },
      { env },
    );
    expect(result).toEqual({ codes: ['COEXIST_EANCHOR', 'COEXIST_EANCHOR'], unchanged: true, slot: 0 });
  });
});
