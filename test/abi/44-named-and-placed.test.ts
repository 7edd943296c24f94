// Clause 44: named locks lie in the heap, placed ones anywhere in shared memory; views come and go; constants are settled by the
// first view.

import { type Area, createArea } from 'coexist';
import { BARRIER, RWLOCK, SEMAPHORE } from 'coexist/abi';
import { Barrier, Condvar, type LockMemory, Mutex, Once, RwLock, Semaphore } from 'coexist/sync';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, openIn, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { lockBytes, lockMemory } from '../support/lock-memory.js';
import { identityOf, ownIdentity } from '../support/threads.js';

const X = ownIdentity();
const holders = 4;
const ROWS = 64 + 16 * holders;

interface Kind {
  readonly kind: 'mutex' | 'rwlock' | 'once' | 'condvar' | 'semaphore' | 'barrier';
  readonly size: number;
  at(memory: LockMemory, offset: number): unknown;
  named(name: string, area: Area): unknown;
}

const KINDS: readonly Kind[] = [
  { kind: 'mutex', size: 16, at: (m, at) => Mutex.at(m, at), named: (name, area) => new Mutex(name, { area }) },
  {
    kind: 'rwlock',
    size: ROWS,
    at: (m, at) => RwLock.at(m, at, { holders }),
    named: (name, area) => new RwLock(name, { holders, area }),
  },
  { kind: 'once', size: 8, at: (m, at) => Once.at(m, at), named: (name, area) => new Once(name, { area }) },
  { kind: 'condvar', size: 16, at: (m, at) => Condvar.at(m, at), named: (name, area) => new Condvar(name, { area }) },
  {
    kind: 'semaphore',
    size: ROWS,
    at: (m, at) => Semaphore.at(m, at, { permits: 2, holders }),
    named: (name, area) => new Semaphore(name, { permits: 2, holders, area }),
  },
  {
    kind: 'barrier',
    size: ROWS,
    at: (m, at) => Barrier.at(m, at, { parties: 3, holders }),
    named: (name, area) => new Barrier(name, { parties: 3, holders, area }),
  },
];
const CONSTANTS = {
  mutex: {},
  once: {},
  condvar: {},
  rwlock: { holders },
  semaphore: { holders, permits: 3 },
  barrier: { holders, parties: 3 },
};

const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
const wasmMemory = (): LockMemory => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });

test('static BYTES and ALIGN: 8-aligned, and room for 60 holders', () => {
  const all = [Mutex, RwLock, Once, Condvar, Semaphore, Barrier];
  expect(all.map(({ BYTES, ALIGN }) => [BYTES, ALIGN])).toEqual([
    [16, 8],
    [1024, 8],
    [8, 8],
    [16, 8],
    [1024, 8],
    [1024, 8],
  ]);
  for (const { bytes } of [RwLock, Semaphore, Barrier]) {
    expect([bytes(1), bytes(60), bytes(65536)]).toEqual([80, 1024, 64 + 16 * 65536]);
    for (const wrong of [0, -1, 1.5, 65537, Number.NaN, '4' as never]) failure('COEXIST_EINVAL', () => bytes(wrong));
  }
});

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe.each(KINDS)('$kind', ({ kind, size, at, named }) => {
    test('a view of zeroed memory writes its constants and nothing else', () => {
      const bytes = lockMemory(backend, kind);
      for (let n = 0; n < 2; n++) {
        on(backend, () => at(bytes.memory, bytes.at));
        expect([bytes.words(), bytes.harmed()]).toEqual([CONSTANTS[kind], []]);
      }
    });

    test('named: a ready entry of its kind, the bytes in the heap; a placed view of them is the same object', () => {
      const area = smallArea(backend, { heapBytes: 4096 });
      const bytes = bytesOf(area);
      on(backend, () => named('first', area));
      on(backend, () => named('my-lib/lock', area));
      expect(bytes.entryName(1)).toBe('my-lib/lock');
      expect([bytes.entry(1, 'state'), bytes.entry(1, 'version'), bytes.entry(1, 'size')]).toEqual([2, 1, size]);
      const lock = lockBytes(memoryOf(area), kind, bytes.entry(1, 'offset'));
      expect(lock.at).toBe(bytes.header('heap_offset') + Math.ceil(size / 64) * 64);
      expect(lock.words()).toEqual(CONSTANTS[kind]);
      const before = bytes.snapshot();
      on(backend, () => named('my-lib/lock', area));
      for (const memory of [memoryOf(area), area.buffer]) on(backend, () => at(memory, lock.at));
      expect(bytes.changed(before)).toEqual([]);
    });

    test.each([
      ['nothing', undefined],
      ['null', null],
      ['a number', 5],
      ['a buffer that is not shared', new ArrayBuffer(2048)],
      ['memory that is not shared', new (WebAssembly.Memory as new (type: object) => object)({ initial: 1 })],
      ['a typed array', new Int32Array(shared(2048))],
      ['a DataView', new DataView(shared(2048))],
      ['something with a buffer', { buffer: shared(2048) }],
      ['an area', createArea({ slots: 1, heapBytes: 4096, blockBytes: 4096 })],
    ])('placed in %s: COEXIST_EINVAL', (_, memory) => {
      const { found, expected } = failure('COEXIST_EINVAL', () => on(backend, () => at(memory as never, 0)));
      expect([found, expected]).toEqual([memory, 'a SharedArrayBuffer or a shared WebAssembly.Memory']);
    });

    test('placed at a multiple of 8 inside the memory, or COEXIST_EINVAL', () => {
      const bytes = lockMemory(backend, kind);
      const last = 65536 - size;
      const wrong = [
        1,
        4,
        1092,
        -8,
        -1,
        0.5,
        last + 8,
        65536,
        2 ** 32,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        '8',
        null,
      ];
      for (const offset of [...wrong, undefined]) {
        const error = failure('COEXIST_EINVAL', () => on(backend, () => at(bytes.memory, offset as never)));
        expect(error.found).toBe(offset);
        expect(error.expected).toBe(`a multiple of 8 from 0 to ${last}: the object has ${size} bytes`);
      }
      failure('COEXIST_EINVAL', () => on(backend, () => at(shared(size - 1), 0)));
      expect([bytes.words(), bytes.harmed()]).toEqual([{}, []]);
      new Uint8Array(bytes.buffer).fill(0);
      for (const offset of [8, 2048, last]) expect(() => on(backend, () => at(bytes.memory, offset))).not.toThrow();
      expect(() => on(backend, () => at(shared(size), 0))).not.toThrow();
    });

    test('placed in memory that may grow, and in memory of odd length', () => {
      const growable = new SharedArrayBuffer(2048, { maxByteLength: 8192 });
      expect(() => on(backend, () => at(growable, 2048 - size))).not.toThrow();
      expect(() => on(backend, () => at(shared(size + 5), 0))).not.toThrow();
      failure('COEXIST_EINVAL', () => on(backend, () => at(growable, 2048)));
    });
  });

  test.each([
    ['rwlock', 'holders', 4, 5, RWLOCK.holders, (m: LockMemory, n: number) => RwLock.at(m, 1096, { holders: n })],
    [
      'semaphore',
      'holders',
      4,
      5,
      SEMAPHORE.holders,
      (m: LockMemory, n: number) => Semaphore.at(m, 1096, { permits: 1, holders: n }),
    ],
    [
      'semaphore',
      'permits + 1',
      3,
      8,
      SEMAPHORE.permits,
      (m: LockMemory, n: number) => Semaphore.at(m, 1096, { permits: n - 1, holders }),
    ],
    [
      'barrier',
      'holders',
      4,
      3,
      BARRIER.holders,
      (m: LockMemory, n: number) => Barrier.at(m, 1096, { parties: 1, holders: n }),
    ],
    [
      'barrier',
      'parties',
      2,
      1,
      BARRIER.parties,
      (m: LockMemory, n: number) => Barrier.at(m, 1096, { parties: n, holders }),
    ],
  ] as const)('%s: %s is %i, and cannot be %i: COEXIST_EKIND, nothing changed', (kind, name, first, other, _, make) => {
    const bytes = lockMemory(backend, kind);
    on(backend, () => make(bytes.memory, first));
    const before = bytes.words();
    const { found, expected, message } = failure('COEXIST_EKIND', () => on(backend, () => make(bytes.memory, other)));
    expect([found, expected]).toEqual([first, other]);
    expect(message).toContain(`has ${name} ${first}, expected ${other}`);
    expect([bytes.words(), bytes.harmed()]).toEqual([before, []]);
    expect(() => on(backend, () => make(bytes.memory, first))).not.toThrow();
  });

  test('the same for named ones, and another kind or size is refused by the directory', () => {
    const area = smallArea(backend, { heapBytes: 8192 });
    const bytes = bytesOf(area);
    on(backend, () => {
      new Semaphore('s', { permits: 2, area });
      new Barrier('b', { parties: 2, area });
      new RwLock('r', { holders: 9, area });
      const before = bytes.snapshot();
      failure('COEXIST_EKIND', () => new Semaphore('s', { permits: 3, area }));
      failure('COEXIST_EKIND', () => new Barrier('b', { parties: 3, area }));
      for (const options of [{ holders: 8, area }, { area }]) failure('COEXIST_EKIND', () => new RwLock('r', options));
      failure('COEXIST_EKIND', () => new Mutex('r', { area }));
      failure('COEXIST_EKIND', () => new Condvar('s', { area }));
      expect(bytes.changed(before)).toEqual([]);
    });
  });

  test.each([
    ['permits', [-1, 0.5, 2 ** 31 - 1, Number.NaN, '2', undefined]],
    ['parties', [0, -1, 0.5, 2 ** 31, Number.NaN, '2', undefined]],
    ['holders', [0, -1, 0.5, 65537, Number.NaN, '2']],
  ] as const)('%s out of bounds: COEXIST_EINVAL, nothing changed', (name, wrong) => {
    const area = smallArea(backend, { heapBytes: 4096 });
    const before = bytesOf(area).snapshot();
    const bytes = lockMemory(backend, 'semaphore');
    for (const value of wrong) {
      const options = { permits: 1, parties: 1, [name]: value } as never;
      on(backend, () => {
        for (const Class of name === 'holders' ? [Semaphore, Barrier] : [name === 'permits' ? Semaphore : Barrier]) {
          expect(failure('COEXIST_EINVAL', () => Class.at(bytes.memory, bytes.at, options)).found).toBe(value);
          const named = { ...(options as object), area } as never;
          expect(failure('COEXIST_EINVAL', () => new Class('n', named)).found).toBe(value);
        }
      });
    }
    for (const Class of [Semaphore, Barrier]) {
      failure('COEXIST_EINVAL', () => on(backend, () => Class.at(bytes.memory, bytes.at, undefined as never)));
    }
    expect([bytes.words(), bytesOf(area).changed(before)]).toEqual([{}, []]);
  });

  test('bounds that are allowed', () => {
    const bytes = lockMemory(backend, 'semaphore');
    for (const [permits, word] of [[0, 1] as const, [2 ** 31 - 2, 2 ** 31 - 1] as const]) {
      bytes.plant({ permits: 0 });
      expect(on(backend, () => Semaphore.at(bytes.memory, bytes.at, { permits, holders })).available()).toBe(permits);
      expect(bytes.words()).toEqual({ holders, permits: word });
    }
    const barrier = lockMemory(backend, 'barrier');
    on(backend, () => Barrier.at(barrier.memory, barrier.at, { parties: 2 ** 31 - 1, holders }));
    expect(barrier.words()).toEqual({ holders, parties: 2 ** 31 - 1 });
  });

  test('views, copies and threads operate one lock; nothing but the memory belongs to it', async () => {
    const area = smallArea(backend);
    const mutex = on(backend, () => new Mutex('shared', { area }));
    const { lib, area: same } = await openIn('b', backend === 'wasm' ? 'twin' : 'wasm', area);
    const bytes = lockBytes(memoryOf(area), 'mutex', bytesOf(area).entry(0, 'offset'));
    const views: { lock(): { unlock(): void }; tryLock(): unknown }[] = [
      mutex,
      on(backend, () => new Mutex('shared', { area })),
      on(backend, () => Mutex.at(area.buffer, bytes.at)),
      new lib.Mutex('shared', { area: same }),
      lib.Mutex.at(memoryOf(area), bytes.at),
    ];
    let token = 0;
    for (const view of views) {
      const guard = view.lock();
      expect(bytes.words()).toEqual({ owner: X, token: ++token });
      for (const other of views) {
        expect(other.tryLock()).toBeUndefined();
        failure('COEXIST_EDEADLK', () => other.lock());
      }
      guard.unlock();
    }
    const actor = await startActor(backend === 'wasm' ? 'twin' : 'wasm');
    await actor.run(
      async ({ load, state }, { url, memory }) => {
        const { Mutex, openArea } = await load(url);
        state['guard'] = new Mutex('shared', { area: openArea(memory) }).lock();
      },
      { url: copyUrl('a', 'core.js'), memory: memoryOf(area) },
    );
    expect(bytes.words()).toEqual({ owner: await identityOf(actor), token: ++token });
    for (const view of views) expect(view.tryLock()).toBeUndefined();
    await actor.run(({ state }) => (state['guard'] as { unlock(): void }).unlock());
    views[3]?.lock();
    // Any view of the owner's may release it.
    mutex.unlock();
    expect(bytes.words()).toEqual({ token: ++token });
    await actor.terminate();
  });
});

test('memory that was first met as a bare buffer, and then as wasm memory', () => {
  const memory = wasmMemory();
  const buffer = (memory as { buffer: SharedArrayBuffer }).buffer;
  const first = Mutex.at(buffer, 0).lock();
  const second = Mutex.at(memory, 0);
  expect(second.tryLock()).toBeUndefined();
  first.unlock();
  second.lock();
  Mutex.at(buffer, 0).unlock();
  expect(lockBytes(buffer, 'mutex', 0).words()).toEqual({ token: 2 });
});
