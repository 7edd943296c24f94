// Every code of the library: the message opens with the code, names the value found and the one expected, and ends with the
// remedy, which is a sentence that says what to do.

import { attachAsync, CoexistError, createArea, openArea, register } from 'coexist';
import { Counter, PerThread } from 'coexist/percpu';
import { Barrier, Condvar, Mutex, Once, RwLock, Semaphore } from 'coexist/sync';
import { describe, expect, test } from 'vitest';
import { Actor } from './support/actor.js';
import { copyUrl } from './support/copies.js';
import { SLOT, scribble } from './support/slot.js';

type Seen = { code: string; message: string; remedy: string; found: unknown; expected: unknown; name: string };

/** An identity whose liveness nobody can tell. */
const STRANGER = (1n << 61n) | 5n;
const small = { slots: 1, blockBytes: 4096, heapBytes: 0 } as const;

function thrown(attempt: () => unknown): Seen {
  try {
    attempt();
  } catch (error) {
    expect(error).toBeInstanceOf(CoexistError);
    expect(error).toBeInstanceOf(Error);
    return error as CoexistError;
  }
  throw new Error('nothing was thrown');
}

/** A mutex whose owner word is as it was left by others. */
function mutexOf(owner: bigint): Mutex {
  const memory = new SharedArrayBuffer(Mutex.BYTES);
  new BigInt64Array(memory)[0] = owner;
  return Mutex.at(memory, 0);
}

const rows = { holders: 1 };
const memoryWithRows = (): SharedArrayBuffer => new SharedArrayBuffer(RwLock.bytes(1));
/** The same, its one row that of a thread nobody can judge. */
function memoryOfOthers(): SharedArrayBuffer {
  const memory = memoryWithRows();
  new BigInt64Array(memory)[8] = STRANGER;
  new Uint32Array(memory)[4] = 1;
  return memory;
}

/** Code, what makes it, and what its message names: found, then expected. */
const cases: [string, () => unknown, RegExp][] = [
  ['COEXIST_EABI', () => openArea(new SharedArrayBuffer(8192)), /magic is 0, expected 1363497810/],
  [
    'COEXIST_EABI',
    () => openArea({} as SharedArrayBuffer),
    /not shared memory, expected a shared WebAssembly.Memory or a SharedArrayBuffer/,
  ],
  ['COEXIST_EABI', () => openArea(new SharedArrayBuffer(16)), /the memory has 16 bytes, expected at least 4096 bytes/],
  ['COEXIST_EINVAL', () => createArea({ slots: 0 }), /slots is 0, expected an integer from 1 to 16384/],
  ['COEXIST_EINVAL', () => createArea({ blockBytes: 5000 }), /blockBytes is 5000, expected a power of two/],
  ['COEXIST_EINVAL', () => register({ name: '', area: createArea(small) }), /name is "", expected a string of 1 to 72/],
  [
    'COEXIST_EINVAL',
    () => register({ name: 'x'.repeat(100), area: createArea(small) }),
    /name is "xxx.*", expected a string of 1 to 72 bytes/,
  ],
  ['COEXIST_EINVAL', () => register({ area: {} as never }), /area is \[object Object\], expected what attach\(\)/],
  ['COEXIST_EINVAL', () => new Counter(5 as never, { area: createArea(small) }), /name is 5, expected a string/],
  ['COEXIST_EINVAL', () => new Counter('c', { area: createArea(small) }).add(0.5), /n is 0.5, expected a safe integer/],
  [
    'COEXIST_EINVAL',
    () => new PerThread('k', { type: 'u7' as never, length: 1, area: createArea(small) }),
    /type is "u7", expected one of i8, u8/,
  ],
  [
    'COEXIST_EBUSY',
    () => {
      const area = createArea(small);
      register({ area });
      register({ area, permanent: true });
    },
    /slot 0 .* 1 transient registrations/,
  ],
  [
    'COEXIST_EOVERFLOW',
    () => {
      const area = createArea(small);
      scribble(area, register({ area }).slot, SLOT.refcount, -1);
      register({ area });
    },
    /slot 0 .*refcount is at the maximum/,
  ],
  [
    'COEXIST_EFAILED',
    () => {
      const area = createArea(small);
      scribble(area, register({ area }).slot, SLOT.cpu_id, -2);
      register({ area });
    },
    /slot 0 .*the host refuses this thread/,
  ],
  [
    'COEXIST_EFULL',
    () => {
      const area = createArea(small);
      // The slot of a thread whose identity nobody can judge.
      scribble(area, 0, SLOT.owner, (1n << 61n) | 5n);
      register({ area });
    },
    /all 1 slots belong to threads that live/,
  ],
  [
    'COEXIST_EUNREGISTERED',
    () => {
      const handle = register({ area: createArea(small) });
      handle.unregister();
      handle.unregister();
    },
    /registration of slot 0 has ended already/,
  ],
  [
    'COEXIST_EUNREGISTERED',
    () => {
      const counter = new Counter('c', { area: createArea(small) });
      counter.dispose();
      counter.add(1);
    },
    /counter "c" was disposed of/,
  ],
  [
    'COEXIST_EKIND',
    () => {
      const area = createArea(small);
      new PerThread('k', { type: 'u8', length: 8, area });
      new PerThread('k', { type: 'u8', length: 9, area });
    },
    /"k" has size 8, expected 9/,
  ],
  [
    'COEXIST_ENOSPC',
    () => {
      const area = createArea(small);
      new PerThread('k', { type: 'u8', length: 4096, area });
      new Counter('c', { area });
    },
    /no room for "c": 8 bytes do not fit .* 4096 bytes of a block/,
  ],
  [
    'COEXIST_ENOSPC',
    () => new Mutex('m', { area: createArea(small) }),
    /no room for "m": 16 bytes do not fit .* 0 bytes of the heap/,
  ],
  [
    'COEXIST_EKIND',
    () => {
      const area = createArea({ ...small, heapBytes: 64 });
      new Mutex('m', { area });
      new Once('m', { area });
    },
    /"m" has kind mutex, expected once/,
  ],
  [
    'COEXIST_EKIND',
    () => {
      const memory = memoryWithRows();
      Semaphore.at(memory, 0, { permits: 1, ...rows });
      Semaphore.at(memory, 0, { permits: 2, ...rows });
    },
    /the lock at byte 0 has permits \+ 1 2, expected 3/,
  ],
  [
    'COEXIST_EINVAL',
    () => Mutex.at(new SharedArrayBuffer(64), 4),
    /offset is 4, expected a multiple of 8 from 0 to 48/,
  ],
  [
    'COEXIST_EINVAL',
    () => Mutex.at(new Int32Array(64) as never, 0),
    /buffer is \[object Int32Array\], expected a Shared/,
  ],
  ['COEXIST_EINVAL', () => mutexOf(0n).lock({ timeout: -1 }), /timeout is -1, expected a number of ms, 0 or more/],
  ['COEXIST_EINVAL', () => mutexOf(0n).lock({ signal: {} as never }), /signal is \[object Object\], expected an Abort/],
  ['COEXIST_EINVAL', () => mutexOf(0n).lock().markConsistent(), /the lock at byte 0 is consistent/],
  [
    'COEXIST_EINVAL',
    () => Semaphore.at(memoryWithRows(), 0, { permits: -1, ...rows }),
    /permits is -1, expected an integer from 0 to 2147483646/,
  ],
  [
    'COEXIST_EINVAL',
    () => Barrier.at(memoryWithRows(), 0, { parties: 0, ...rows }),
    /parties is 0, expected an integer from 1 to 2147483647/,
  ],
  ['COEXIST_EINVAL', () => RwLock.bytes(0), /holders is 0, expected an integer from 1 to 65536/],
  [
    'COEXIST_ETIMEDOUT',
    () => mutexOf(STRANGER).lock({ timeout: 0 }),
    /the lock at byte 0 was not to be had within 0 ms/,
  ],
  ['COEXIST_EABORTED', () => mutexOf(0n).lock({ signal: AbortSignal.abort(new Error('why')) }), /was aborted: "why"/],
  ['COEXIST_ENOTOWNER', () => mutexOf(0n).unlock(), /the lock at byte 0 cannot be released here: nobody holds it/],
  ['COEXIST_ENOTOWNER', () => mutexOf(STRANGER).unlock(), /cannot be released here: thread 2305843009213693957 holds/],
  [
    'COEXIST_ENOTOWNER',
    () => {
      const mutex = mutexOf(0n);
      void mutex.lockAsync();
      mutex.unlock();
    },
    /cannot be released here: this thread holds it under another guard/,
  ],
  [
    'COEXIST_ENOTOWNER',
    () => {
      const guard = RwLock.at(memoryWithRows(), 0, rows).read();
      guard.unlock();
      guard.unlock();
    },
    /this guard of the lock at byte 0 was released already/,
  ],
  [
    'COEXIST_EDEADLK',
    () => {
      const mutex = mutexOf(0n);
      mutex.lock();
      mutex.lock();
    },
    /this thread holds the lock at byte 0 already/,
  ],
  ['COEXIST_ENOTRECOVERABLE', () => mutexOf(-(1n << 63n)).lock(), /the owner of the lock at byte 0 died/],
  [
    'COEXIST_EPOISONED',
    () => {
      const once = Once.at(new SharedArrayBuffer(Once.BYTES), 0);
      expect(() =>
        once.call(() => {
          throw new RangeError('expected');
        }),
      ).toThrow(RangeError);
      once.call(() => {});
    },
    /the initialiser of the lock at byte 0 threw/,
  ],
  [
    'COEXIST_EFULL',
    () => RwLock.at(memoryOfOthers(), 0, rows).read(),
    /all 1 holders of the lock at byte 0 are threads that live/,
  ],
  [
    'COEXIST_EOVERFLOW',
    () => Semaphore.at(memoryWithRows(), 0, { permits: 2 ** 31 - 2, ...rows }).release(),
    /the lock at byte 0 would have more than \d+ permits/,
  ],
  [
    'COEXIST_EBROKEN',
    () => {
      const memory = memoryWithRows();
      new Uint32Array(memory)[6] = 0x80000000;
      Barrier.at(memory, 0, { parties: 1, ...rows }).wait();
    },
    /a party of the lock at byte 0 died/,
  ],
  [
    'COEXIST_ETIMEDOUT',
    () => {
      const condvar = Condvar.at(new SharedArrayBuffer(Condvar.BYTES), 0);
      condvar.wait(mutexOf(0n).lock(), { timeout: 0 });
    },
    /a notification was not to be had within 0 ms/,
  ],
];

describe('in this thread', () => {
  test.each(cases)('%s %#', (code, attempt, naming) => {
    const error = thrown(attempt);
    expect(error.code).toBe(code);
    expect(error.name).toBe('CoexistError');
    expect(error.message.startsWith(`${code}: `)).toBe(true);
    expect(error.message).toMatch(naming);
    expect(error.message.endsWith(error.remedy)).toBe(true);
    expect(error.remedy).toMatch(/^[A-Z].{15,}\.$/s);
    expect(error.found).not.toBeUndefined();
    expect(error.expected).not.toBeUndefined();
  });

  test('EABORTED carries the reason of the signal, EINVAL the bad timeout', async () => {
    const reason = new Error('no longer wanted');
    const aborted = attachAsync({ signal: AbortSignal.abort(reason) });
    await expect(aborted).rejects.toMatchObject({
      code: 'COEXIST_EABORTED',
      cause: reason,
      message: expect.stringMatching(/^COEXIST_EABORTED: .*aborted.*Nothing is attached/),
    });
    await expect(attachAsync({ timeout: -1 })).rejects.toMatchObject({
      code: 'COEXIST_EINVAL',
      message: expect.stringMatching(/timeout is -1, expected a number of milliseconds from 0 to 2147483647/),
    });
  });
});

describe('in a worker', () => {
  const failing = async (
    { load }: import('../workers/actor.js').ActorContext,
    { url, how }: { url: string; how: string },
  ): Promise<Partial<Seen>> => {
    const { attach, Counter, createArea } = await load(url);
    try {
      if (how === 'frozen') Object.freeze(process.getBuiltinModule('node:worker_threads'));
      if (how === 'unfinished entry') {
        const area = createArea({ slots: 1, blockBytes: 4096, heapBytes: 0 });
        // Created by a thread that nobody can judge, and never finished.
        new BigInt64Array(area.buffer)[area.geometry.directoryOffset >>> 3] = (1n << 61n) | 5n;
        new Counter('c', { area });
      }
      attach();
      return {};
    } catch (error) {
      const { code, message, remedy, found, expected, name } = error as CoexistError;
      return { code, message, remedy, name, found: String(found), expected: String(expected) };
    }
  };

  test.each([
    // First: the next worker makes an area in the main thread, through the bridge, before it finds that it cannot join.
    ['COEXIST_ERENDEZVOUS', 'alone', { COEXIST_NO_INSPECTOR: '1' }, /COEXIST_NO_INSPECTOR=1.*coexist\/preload/],
    ['COEXIST_EANCHOR', 'frozen', {}, /node:worker_threads takes no property.*call attach\(\) first/],
    ['COEXIST_ETIMEDOUT', 'unfinished entry', {}, /directory entry before "c" stays unfinished.*creating thread/],
  ])('%s', async (code, how, env, naming) => {
    const actor = await Actor.start({ env: { ...process.env, ...env } });
    const error = (await actor.run(failing, { url: copyUrl('a', 'core.js'), how })) as Seen;
    expect(error).toMatchObject({ code, name: 'CoexistError', message: expect.stringMatching(naming) });
    expect(error.message.startsWith(`${code}: `)).toBe(true);
    expect(error.message.endsWith(error.remedy)).toBe(true);
    expect([error.found, error.expected]).not.toContain('undefined');
    await actor.terminate();
  });
});

test('another copy throws another class: code is what to compare', async () => {
  const { CoexistError: Other } = (await import(copyUrl('b'))) as typeof import('coexist');
  const error = thrown(() => openArea(new SharedArrayBuffer(8192)));
  expect(Other).not.toBe(CoexistError);
  expect(error).not.toBeInstanceOf(Other);
  expect(error.code).toBe('COEXIST_EABI');
});
