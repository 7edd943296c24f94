// The gates before the rseq area is mapped, and what stands in where one is closed, with a made-up way to call C: the sizes that
// glibc publishes, libc without the area, other architectures, an area that says something else than sched_getcpu().

import { describe, expect, test } from 'vitest';
import { type Ffi, type Machine, type Mapped, sourceOf } from '../../src/host/rseq-area.js';

const X64: Machine = { arch: 'x64', rereads: true };
const THREAD_POINTER = 0x7f00_0000_0000n;
const OFFSET = 2336n;

interface Fake extends Ffi {
  /** The area: cpu_id_start, cpu_id, rseq_cs, flags, node_id, mm_cid, ... */
  readonly area: Int32Array<ArrayBuffer>;
  /** What was mapped: [address, bytes]. */
  readonly views: (readonly [bigint, number])[];
  calls: number;
}

function fake(overrides: Partial<Ffi> & { readonly called?: () => number } = {}): Fake {
  const area = Int32Array.of(3, 3, 0, 0, 0, 1, 9, 0);
  const views: [bigint, number][] = [];
  const ffi: Fake = {
    name: 'made up',
    schedGetCpu: () => {
      ffi.calls++;
      return overrides.called === undefined ? (area[1] as number) : overrides.called();
    },
    threadPointer: () => THREAD_POINTER,
    rseqOffset: OFFSET,
    rseqSize: 28,
    view: (address, bytes) => {
      views.push([address, bytes]);
      // A real one is live, so is this: the whole area, whatever was asked for.
      return area.buffer;
    },
    ...overrides,
    area,
    views,
    calls: 0,
  };
  return ffi;
}

describe('mapped', () => {
  test('reads cpu_id and node_id live, without a call', () => {
    const ffi = fake();
    const source = sourceOf(ffi, X64);
    expect(source).toMatchObject({ via: 'rseq', ffi: 'made up', reasons: [] });
    expect(ffi.views).toEqual([[THREAD_POINTER + OFFSET, 24]]);
    const { calls } = ffi;
    expect([source.cpu(), source.node()]).toEqual([3, 1]);
    ffi.area.set([5, 5], 0);
    ffi.area[5] = 2;
    expect([source.cpu(), source.node()]).toEqual([5, 2]);
    expect(ffi.calls).toBe(calls);
  });

  test.each([
    // What glibc 2.35 to 2.39 says of 20 bytes in use.
    [32, 8, 0],
    [20, 8, 0],
    [23, 8, 0],
    [8, 8, 0],
    [12, 8, 0],
    [19, 8, 0],
    [24, 24, 1],
    [28, 24, 1],
    [33, 24, 1],
    [64, 24, 1],
  ])('an area of size %i: %i bytes are mapped, the node is %i', (rseqSize, bytes, node) => {
    const ffi = fake({ rseqSize });
    const source = sourceOf(ffi, X64);
    expect(source.via).toBe('rseq');
    expect(ffi.views.map(([, length]) => length)).toEqual([bytes]);
    expect([source.cpu(), source.node()]).toEqual([3, node]);
  });

  test('a word that turns negative later: sched_getcpu() is called instead', () => {
    let cpu = 3;
    const ffi = fake({ called: () => cpu });
    const source = sourceOf(ffi, X64);
    ffi.area[1] = -1;
    cpu = 7;
    expect(source.cpu()).toBe(7);
    ffi.area[1] = 2;
    expect(source.cpu()).toBe(2);
  });

  test('the area is kept for the caller where plain loads read it, once, and nowhere else', () => {
    const keep: Mapped = {};
    const ffi = fake();
    sourceOf(ffi, X64, keep);
    const { words } = keep;
    expect(words?.buffer).toBe(ffi.area.buffer);
    sourceOf(fake(), X64, keep);
    expect(keep.words).toBe(words);
    const other: Mapped = {};
    expect(sourceOf(fake(), { arch: 'x64', rereads: false }, other).cpu()).toBe(3);
    expect(Object.keys(other)).toEqual([]);
    expect(JSON.stringify(sourceOf(fake(), X64))).toBe('{"via":"rseq","ffi":"made up","reasons":[]}');
  });

  test('a thread that is moved while it looks is believed at the next look', () => {
    const ffi = fake();
    let looks = 0;
    const source = sourceOf(
      Object.assign(ffi, {
        schedGetCpu: () => {
          // The first looks find the thread on its way.
          if (++looks <= 3) ffi.area.fill(looks + 3, 0, 2);
          return ffi.area[1] as number;
        },
      }),
      X64,
    );
    expect(source.via).toBe('rseq');
    expect(looks).toBe(4);
  });
});

describe('not mapped, sched_getcpu() is called, and the reason is told', () => {
  test.each<[string, Partial<Ffi>, Machine, RegExp]>([
    ['no symbols, as with musl', { rseqOffset: undefined, rseqSize: undefined }, X64, /publishes none.*musl/],
    ['no size', { rseqSize: undefined }, X64, /publishes none/],
    ['size 0', { rseqSize: 0 }, X64, /registered none.*glibc\.pthread\.rseq=0/],
    ['size 7', { rseqSize: 7 }, X64, /7 bytes do not reach cpu_id/],
    ['another architecture', {}, { arch: 'arm64', rereads: true }, /thread pointer is not known on arm64/],
    ['an address that is not aligned', { rseqOffset: OFFSET + 8n }, X64, /address makes no sense/],
    ['an address below 0', { rseqOffset: -THREAD_POINTER - 32n }, X64, /address makes no sense/],
    [
      'a view that is refused',
      {
        view: () => {
          throw new Error('External buffers are not allowed\nat all');
        },
      },
      X64,
      /: External buffers are not allowed$/,
    ],
    [
      'a thread pointer that is refused',
      {
        threadPointer: () => {
          throw new Error('no pthread_self');
        },
      },
      X64,
      /: no pthread_self$/,
    ],
  ])('%s', (_, overrides, machine, reason) => {
    const ffi = fake({ called: () => 6, ...overrides });
    const source = sourceOf(ffi, machine);
    expect(source).toMatchObject({ via: 'sched_getcpu', ffi: 'made up' });
    expect(source.reasons).toEqual([expect.stringMatching(reason)]);
    expect([source.cpu(), source.node()]).toEqual([6, 0]);
    expect(ffi.views).toEqual([]);
  });

  test('an area that is not registered', () => {
    const ffi = fake({ called: () => 6 });
    ffi.area.set([0, -2], 0);
    const source = sourceOf(ffi, X64);
    expect(source).toMatchObject({ via: 'sched_getcpu', reasons: [expect.stringContaining('cpu_id is -2')] });
    expect(source.cpu()).toBe(6);
  });

  test.each([
    ['another number', [4, 4], 6],
    ['another cpu_id_start', [0, 6], 6],
    ['a negative call', [4, 4], -1],
  ])('an area that disagrees: %s', (_, words, called) => {
    const ffi = fake({ called: () => called });
    ffi.area.set(words, 0);
    const source = sourceOf(ffi, X64);
    expect(source.via).toBe(called < 0 ? 'none' : 'sched_getcpu');
    expect(source.reasons[0]).toContain('disagrees with sched_getcpu()');
    expect(source.cpu()).toBe(called);
  });

  test('an area that changes at every look', () => {
    const ffi = fake();
    let cpu = 0;
    const source = sourceOf(
      Object.assign(ffi, {
        schedGetCpu: () => {
          ffi.area.fill(++cpu, 0, 2);
          return cpu;
        },
      }),
      X64,
    );
    expect(source).toMatchObject({ via: 'sched_getcpu', reasons: [expect.stringContaining('disagrees')] });
  });
});

describe('nothing', () => {
  test('without sched_getcpu() the area is not believed either', () => {
    const source = sourceOf(fake({ schedGetCpu: undefined }), X64);
    expect(source).toMatchObject({ via: 'none', ffi: 'made up' });
    expect(source.reasons).toEqual([
      expect.stringContaining('no sched_getcpu() to check it by'),
      'sched_getcpu() is not used: libc has none',
    ]);
    expect([source.cpu(), source.node()]).toEqual([-1, 0]);
  });

  test.each([
    [() => -1, 'it fails'],
    [
      () => {
        throw new Error('refused');
      },
      'refused',
    ],
  ])('a sched_getcpu() that fails', (called, reason) => {
    const source = sourceOf(fake({ rseqSize: 0, called }), X64);
    expect(source.via).toBe('none');
    expect(source.reasons.at(-1)).toBe(`sched_getcpu() is not used: ${reason}`);
    expect(source.cpu()).toBe(-1);
  });
});
