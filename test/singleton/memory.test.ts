// Memory singletons in one thread: every state, what each call answers there, and what each error says.

import { type Area, register } from 'coexist';
import {
  type InstanceMemory,
  type MemoryDeclaration,
  type MemorySingleton,
  singleton,
  singletons,
} from 'coexist/singleton';
import { describe, expect, test, vi } from 'vitest';
import { BACKENDS } from '../support/backends.js';
import { failure, rejection } from '../support/failures.js';
import { areaFor, singletonBytes } from '../support/singletons.js';
import { ownIdentity } from '../support/threads.js';

const KEY = 'app/limits';

function declared(area: Area, more: Partial<MemoryDeclaration> = {}) {
  const create = vi.fn((memory: InstanceMemory) => {
    expect([...memory.u8]).toEqual(new Array(memory.length).fill(0));
    memory.i32[0] = 4711;
  });
  const finalize = vi.fn();
  return { create, finalize, it: singleton(KEY, { bytes: 20, create, finalize, area, ...more }) };
}

describe.each(BACKENDS)('%s', (backend) => {
  test('it is constructed once, joined, and finalized behind the last reference', () => {
    const area = areaFor(backend);
    const { it, create, finalize } = declared(area);
    expect(it.get()).toBeUndefined();
    const first = it.acquire();
    expect([first.created, first.generation, first.released]).toEqual([true, 0, false]);
    const others = [it.acquire(), it.get()!, it.get()!];
    expect(others.map(({ created }) => created)).toEqual([false, false, false]);
    expect(it.peek().total).toBe(4);
    for (const reference of others) {
      expect(reference.memory.i32[0]).toBe(4711);
      reference.release();
    }
    expect(finalize).not.toHaveBeenCalled();
    first.release();
    expect([create.mock.calls.length, finalize.mock.calls.length]).toEqual([1, 1]);
    expect(it.get()).toBeUndefined();
    expect(it.acquire().generation).toBe(1);
    expect(it.peek()).toMatchObject({ phase: 'LIVE', generation: 1, total: 1 });
  });

  test('the memory is that of the area: every declaration of the type sees it', () => {
    const area = areaFor(backend);
    const a = declared(area).it.acquire();
    const { memory } = declared(area).it.get()!;
    expect(memory.buffer).toBe(area.buffer);
    expect([memory.offset % 64, memory.length, memory.u8.length]).toEqual([0, 20, 20]);
    expect([memory.i32.length, memory.u32.length, memory.f64.length, memory.i64.length]).toEqual([5, 5, 2, 2]);
    a.memory.f64[1] = 0.5;
    expect(memory.f64[1]).toBe(0.5);
  });

  test('a reference is released once; what was released cannot be used', () => {
    const { it } = declared(areaFor(backend));
    const keeper = it.acquire();
    const reference = it.get()!;
    reference.release();
    expect(reference.released).toBe(true);
    expect(failure('COEXIST_ENOTOWNER', () => reference.release()).message).toContain(KEY);
    failure('COEXIST_ENOTOWNER', () => reference.memory);
    failure('COEXIST_ENOTOWNER', () => reference.lend());
    reference[Symbol.dispose]();
    expect(it.peek().total).toBe(1);
    keeper[Symbol.dispose]();
    keeper[Symbol.dispose]();
    expect(it.peek()).toMatchObject({ phase: 'EMPTY', total: 0 });
  });

  test('createNew constructs or refuses, and changes nothing where it refuses', () => {
    const area = areaFor(backend);
    using registration = register({ area });
    const { it } = declared(area);
    const made = it.createNew();
    expect(made.created).toBe(true);
    const before = it.peek();
    const { message, found } = failure('COEXIST_EEXIST', () => it.createNew());
    expect(message).toContain(`"${KEY}"`);
    expect(message).toContain(`slot ${registration.slot}`);
    expect(found).toMatchObject({ key: KEY, type: KEY, holder: { identity: String(ownIdentity()), alive: true } });
    expect(it.peek()).toEqual(before);
    made.release();
    expect(it.createNew().generation).toBe(1);
  });

  test('two types under one key: one lives, the other is refused, and says which lives', () => {
    const area = areaFor(backend);
    const { it: bucket } = declared(area, { type: 'TokenBucket' });
    const { it: window } = declared(area, { type: 'SlidingWindow', bytes: 64, version: 3 });
    const live = bucket.acquire();
    const { message, found } = failure('COEXIST_EEXIST', () => window.acquire());
    for (const part of ['"TokenBucket"', '"SlidingWindow"', KEY]) expect(message).toContain(part);
    expect(found).toMatchObject({ type: 'TokenBucket', version: 1 });
    failure('COEXIST_EEXIST', () => window.createNew());
    expect(window.get()).toBeUndefined();
    expect(window.allowed()).toMatchObject({ allowed: false, code: 'COEXIST_EEXIST' });
    expect(window.peek()).toMatchObject({ type: 'TokenBucket', version: 1, bytes: 20, total: 1 });
    live.release();
    expect(window.acquire().memory.length).toBe(64);
    expect(bucket.peek()).toMatchObject({ type: 'SlidingWindow', version: 3, bytes: 64, generation: 1 });
  });

  test('a lookup for another type counts nothing, not even for a moment', () => {
    const area = areaFor(backend);
    const { it: bucket } = declared(area, { type: 'TokenBucket' });
    const { it: window } = declared(area, { type: 'SlidingWindow', bytes: 64, version: 3 });
    bucket.acquire().release();
    const words = singletonBytes(area, KEY);
    words.setState('LIVE', 1);
    const before = words.row(0);
    expect(window.get()).toBeUndefined();
    expect(words.row(0)).toEqual(before);
  });

  test('types of the same name under two keys are two types, with memory of their own', () => {
    const area = areaFor(backend);
    const make = (key: string): MemorySingleton => singleton(key, { type: 'Limiter', bytes: 8, create() {}, area });
    const [a, b] = [make('one'), make('two')].map((it) => it.acquire().memory) as [InstanceMemory, InstanceMemory];
    a.i32[0] = 1;
    b.i32[0] = 2;
    expect([a.i32[0], b.i32[0]]).toEqual([1, 2]);
    expect(singletons({ area }).map(({ key, type }) => [key, type])).toEqual([
      ['one', 'Limiter'],
      ['two', 'Limiter'],
    ]);
  });

  test.each([
    ['another version', { version: 2 }],
    ['other bytes', { bytes: 24 }],
  ])('one type is declared in one way: %s is COEXIST_EKIND', (_, more) => {
    const area = areaFor(backend);
    declared(area);
    const { message } = failure('COEXIST_EKIND', () => declared(area, more));
    expect(message).toContain(KEY);
    expect(message).toContain('version 1, 20 bytes');
  });

  test('a constructor that throws leaves its cause; only an explicit retry constructs again', () => {
    const area = areaFor(backend);
    const error = new RangeError(`no room: ${'é'.repeat(300)}`);
    const create = vi.fn((): void => {
      throw error;
    });
    const { it } = declared(area, { create });
    expect(() => it.acquire()).toThrow(error);
    const again = failure('COEXIST_EFAILED', () => it.acquire());
    expect(again.message).toContain('RangeError: no room');
    expect(() => it.acquire()).toThrow(expect.objectContaining({ cause: error }));
    const other = declared(area).it;
    expect(() => other.acquire()).toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ message: expect.stringContaining('no room') }) }),
    );
    expect(create).toHaveBeenCalledTimes(1);
    failure('COEXIST_EFAILED', () => it.createNew());
    expect(it.get()).toBeUndefined();
    expect(it.allowed()).toMatchObject({ allowed: false, code: 'COEXIST_EFAILED' });
    const { phase, generation, cause, total } = it.peek();
    expect([phase, generation, total]).toEqual(['FAILED', 0, 0]);
    expect(cause).toMatch(/^RangeError: no room: é+$/);
    expect(new TextEncoder().encode(cause).length).toBe(255);
    expect(other.acquire({ retry: true })).toMatchObject({ created: true, generation: 1 });
    expect(it.peek().cause).toBeUndefined();
  });

  test('an asynchronous constructor needs the asynchronous form', async () => {
    const area = areaFor(backend);
    const create = vi.fn(async ({ i32 }: InstanceMemory): Promise<void> => {
      await null;
      i32[0] = 1;
    });
    const { it } = declared(area, { create });
    failure('COEXIST_EINVAL', () => it.acquire());
    await rejection('COEXIST_EFAILED', it.acquireAsync());
    const [a, b] = await Promise.all([it.acquireAsync({ retry: true }), it.acquireAsync({ retry: true })]);
    expect([a.created, b.created, b.memory.i32[0]]).toEqual([true, false, 1]);
    expect(create).toHaveBeenCalledTimes(2);
    await rejection('COEXIST_EEXIST', it.createNewAsync());
    a.release();
    b.release();
    expect((await it.createNewAsync()).generation).toBe(2);
    const broken = singleton('broken', {
      bytes: 1,
      area,
      create: async () => Promise.reject(new Error('later')),
    });
    await expect(broken.acquireAsync()).rejects.toThrow('later');
    expect(broken.peek()).toMatchObject({ phase: 'FAILED', cause: 'Error: later' });
  });

  test('constructor and finalizer that acquire themselves are told so', () => {
    const area = areaFor(backend);
    const codes: string[] = [];
    const recurse = (): void => {
      codes.push(failure('COEXIST_EDEADLK', () => it.acquire()).message);
      expect(it.get()).toBeUndefined();
    };
    const { it } = declared(area, { create: recurse, finalize: recurse });
    it.acquire().release();
    expect(codes.map((message) => message.match(/constructor|finalizer/)?.[0])).toEqual(['constructor', 'finalizer']);
    expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 1 });
  });

  test('a finalizer that throws: released and empty all the same, and the releaser gets what it threw', () => {
    const { it } = declared(areaFor(backend), {
      finalize() {
        throw new Error('on the way out');
      },
    });
    const reference = it.acquire();
    expect(() => reference.release()).toThrow('on the way out');
    expect(reference.released).toBe(true);
    expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 1, total: 0 });
  });

  test('an abstract declaration can do everything but create', () => {
    const area = areaFor(backend);
    const abstract = singleton(KEY, { bytes: 20, area });
    expect(abstract.allowed()).toMatchObject({ allowed: false, code: 'COEXIST_EREFUSED' });
    expect(failure('COEXIST_EREFUSED', () => abstract.acquire()).message).toContain('abstract');
    failure('COEXIST_EREFUSED', () => abstract.createNew());
    expect(abstract.peek().phase).toBe('EMPTY');
    const { it, finalize } = declared(area);
    const made = it.acquire();
    const joined = abstract.acquire();
    made.release();
    expect([joined.created, joined.memory.i32[0]]).toEqual([false, 4711]);
    joined.release();
    expect(finalize).not.toHaveBeenCalled();
    expect(abstract.peek()).toMatchObject({ phase: 'EMPTY', generation: 1 });
  });

  test('allowed() and the listing have no effect, and answer in every phase', () => {
    const area = areaFor(backend);
    expect(singletons({ area })).toEqual([]);
    const { it, create } = declared(area, {
      create: () => expect(seen()).toEqual(['CONSTRUCTING', false, 0, 0]),
      finalize: () => expect(seen()).toEqual(['FINALIZING', true, 0, 0]),
      version: 7,
    });
    const seen = (): unknown[] => {
      const before = new Uint8Array(area.buffer).slice();
      const [row, allowed] = [singletons({ area }), it.allowed()];
      expect(row).toEqual([it.peek()]);
      expect(JSON.parse(JSON.stringify(row))).toMatchObject([
        { key: KEY, type: KEY, version: 7, bytes: 20, kind: 'memory' },
      ]);
      expect(Buffer.compare(new Uint8Array(area.buffer), before)).toBe(0);
      const { phase, total, generation } = row[0]!;
      return [phase, allowed.allowed, total, generation];
    };
    expect(seen()).toEqual(['EMPTY', true, 0, 0]);
    const reference = it.acquire();
    expect(seen()).toEqual(['LIVE', false, 1, 0]);
    reference.release();
    expect(seen()).toEqual(['EMPTY', true, 0, 1]);
    expect(create).not.toHaveBeenCalled();
  });

  test('generations wrap without a row that counts for an old one', () => {
    const area = areaFor(backend);
    const { it } = declared(area);
    it.acquire().release();
    const bytes = singletonBytes(area, KEY);
    bytes.setState('EMPTY', 0xfffffff);
    const last = it.acquire();
    expect(last.generation).toBe(0xfffffff);
    last.release();
    expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 0 });
    expect(it.acquire().generation).toBe(0);
  });

  test('what a row counts for another generation is void', () => {
    const area = areaFor(backend);
    const { it, finalize } = declared(area, { onOwnerDeath: 'discard' });
    const old = it.acquire();
    singletonBytes(area, KEY).setState('EMPTY', 1);
    failure('COEXIST_EGONE', () => old.memory);
    failure('COEXIST_EGONE', () => old.lend());
    expect(it.peek().total).toBe(0);
    const reference = it.acquire();
    expect([reference.created, reference.generation, it.peek().total]).toEqual([true, 1, 1]);
    old.release();
    expect(it.peek().total).toBe(1);
    reference.release();
    expect(finalize).toHaveBeenCalledTimes(1);
  });
});

test.each([
  ['key', '', { bytes: 1 }],
  ['key', 'x'.repeat(74), { bytes: 1 }],
  ['key', 'a\0b', { bytes: 1 }],
  ['key', 7, { bytes: 1 }],
  ['declaration', 'k', null],
  ['bytes', 'k', { bytes: 0 }],
  ['bytes', 'k', { bytes: 1.5 }],
  ['version', 'k', { bytes: 1, version: 65536 }],
  ['type', 'k', { bytes: 1, type: '' }],
  ['type', 'k', { bytes: 1, type: 'x'.repeat(74) }],
  ['type', 'k', { bytes: 1, type: 'a\0' }],
  ['thread', 'k', { bytes: 1, thread: 'worker' }],
  ['create', 'k', { bytes: 1, create: {} }],
  ['finalize', 'k', { bytes: 1, finalize: 1 }],
  ['onOwnerDeath', 'k', { bytes: 1, onOwnerDeath: 'live on' }],
])('COEXIST_EINVAL: %s of %j, %j', (argument, key, declaration) => {
  const { message } = failure('COEXIST_EINVAL', () => singleton(key as string, declaration as MemoryDeclaration));
  expect(message).toContain(argument);
});

test('the longest key, and the longest type beside it, can be had', () => {
  const area = areaFor('wasm');
  expect(singleton('k'.repeat(73), { bytes: 1, create() {}, area }).acquire().created).toBe(true);
  expect(singleton('k', { type: 't'.repeat(73), bytes: 1, create() {}, area }).acquire().created).toBe(true);
  failure('COEXIST_EINVAL', () => singleton('k', { bytes: 1, area }).acquire({ retry: 1 as never }));
});
