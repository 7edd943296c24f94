// What a declaration promises and its functions or options do not keep, deaths that are asked for later, and what comes between two
// steps.

import type { Area } from 'coexist';
import { SINGLETON } from 'coexist/abi';
import { type MemoryDeclaration, type MemorySingleton, singleton } from 'coexist/singleton';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support/actor.js';
import { BACKENDS, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { areaFor, singletonBytes, stateWord } from '../support/singletons.js';
import { deadIdentity } from '../support/stepper.js';

let dead: bigint;
beforeAll(async () => {
  dead = await deadIdentity();
});

const memory = (area: Area, more: Partial<MemoryDeclaration> = {}): MemorySingleton =>
  singleton('app/limits', { bytes: 8, create() {}, area, ...more });

describe.each(BACKENDS)('%s', (backend) => {
  test('a finalizer of memory that returns a promise is refused: nothing would wait for it', () => {
    const it = memory(areaFor(backend), { finalize: () => Promise.reject(new Error('nobody waits')) });
    const { message } = failure('COEXIST_EINVAL', () => it.acquire().release());
    expect(message).toContain('finalize');
    expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 1, total: 0 });
    expect(it.acquire().created).toBe(true);
  });

  test.each([{ cells: 0 }, { cells: 33 }, { cells: '4' }, { cellBytes: 100 }, { cellBytes: -64 }])(
    'a hosted declaration of a channel that cannot be is refused before anybody constructs: %o',
    (shape) => {
      const area = areaFor(backend);
      const declaration = { create: () => ({}), methods: {}, area, ...(shape as object) };
      failure('COEXIST_EINVAL', () => singleton('app/cache', declaration));
      expect(singleton('app/cache', { create: () => ({}), methods: {}, area }).peek().phase).toBe('EMPTY');
    },
  );

  test('that a holder has died is asked later of the instance that is there by then', async () => {
    const area = areaFor(backend);
    const it = memory(area);
    const besideDead = (): void => {
      const reference = it.acquire();
      const bytes = singletonBytes(area, 'app/limits');
      bytes.plantRow(3, dead, 1, stateWord('LIVE', reference.generation));
      reference.release();
    };
    // Asked at once.
    besideDead();
    expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 1 });
    // Asked a moment ago, so later.
    besideDead();
    it.reclaim();
    besideDead();
    await until('the third one ends', () => it.peek().phase === 'EMPTY' && it.peek().generation === 3);
  });

  test('a reference that connects while its instance ends never reaches the next one', () => {
    const area = smallArea(backend, { slots: 4, heapBytes: 16384 });
    const declaration = {
      create: () => ({}),
      methods: { which: () => 'the next one' },
      cells: 1,
      cellBytes: 128,
      area,
    };
    const reference = singleton('app/cache', declaration).acquire();
    const bytes = singletonBytes(area, 'app/cache');
    const epoch = (bytes.at + SINGLETON.epoch.offset) >>> 2;
    const { load } = Atomics;
    const interrupted = (array: Int32Array, index: number): number => {
      if (array instanceof Int32Array && index === epoch) bytes.setState('LIVE', 1);
      return load(array, index);
    };
    Atomics.load = interrupted as typeof load;
    try {
      failure('COEXIST_EGONE', () => reference.callSync('which'));
    } finally {
      Atomics.load = load;
    }
    bytes.setState('LIVE', 0);
    expect(reference.callSync('which')).toBe('the next one');
    reference.release();
  });
});
