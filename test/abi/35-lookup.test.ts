// Clause 35: a lookup resolves each unfinished entry before it goes on: its own and those of the dead it finishes, for others
// it waits, bounded. The clock and the wait are replaced where a test needs their bounds, so that nothing takes real time.

import { register } from 'coexist';
import { Counter } from 'coexist/percpu';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, openForged, registerIn, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { EARLIER_NAMESAKE, identityOf, kill, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

afterEach(() => void vi.restoreAllMocks());

/** Waits end at once, and each lets the given time pass. */
function fastWaits(): { readonly waits: number[] } {
  const waits: number[] = [];
  let clock = 1000;
  vi.spyOn(process, 'hrtime').mockImplementation((() => [Math.floor(clock / 1e3), (clock % 1e3) * 1e6]) as never);
  vi.spyOn(Atomics, 'wait').mockImplementation((_array, _index, _value, timeout) => {
    waits.push(timeout ?? Number.POSITIVE_INFINITY);
    clock += timeout ?? 0;
    return 'timed-out';
  });
  return { waits };
}

describe.each(BACKENDS)('%s', (backend) => {
  test.each([
    ['no such thread', NO_SUCH_THREAD, 1],
    ['no such thread, just begun', NO_SUCH_THREAD, 0],
    ['an earlier namesake', EARLIER_NAMESAKE, 1],
    ['this thread, which was cut', ownIdentity(), 1],
    ['this thread, just begun', ownIdentity(), 0],
  ])(
    'an unfinished entry of %s is taken over and finished; the range that was taken stays lost',
    (_, creator, state) => {
      const area = openForged(backend, (bytes) => {
        bytes.setCreator(0, creator);
        bytes.setEntry(0, 'state', state);
        bytes.setEntry(0, 'kind', 2);
        bytes.setEntry(0, 'flags', 1);
        bytes.setEntryName(0, 'half written');
        bytes.setHeader('block_used', 64);
      });
      const bytes = bytesOf(area);
      new Counter('mine', { area }).add(1);
      expect([bytes.creator(0), bytes.entry(0, 'state'), bytes.entryName(0)]).toEqual([ownIdentity(), 2, 'mine']);
      expect([bytes.entry(0, 'kind'), bytes.entry(0, 'flags'), bytes.entry(0, 'offset')]).toEqual([3, 0, 64]);
      expect([bytes.header('block_used'), bytes.creator(1)]).toEqual([128, 0n]);
    },
  );

  test('a creator that finished before it died: the state is read once more, and nothing is taken over', () => {
    const area = openForged(backend, (bytes) => {
      bytes.setCreator(0, NO_SUCH_THREAD);
      bytes.setEntry(0, 'state', 1);
    });
    const bytes = bytesOf(area);
    register({ area });
    const load = Atomics.load as (array: unknown, index: number) => number;
    const state = (bytes.entryAt(0) + 8) / 4;
    let finished = false;
    vi.spyOn(Atomics, 'load').mockImplementation(((array: Int32Array, index: number) => {
      const value = load.call(Atomics, array, index);
      if (!finished && array.buffer === area.buffer && array.BYTES_PER_ELEMENT === 4 && index === state) {
        finished = true;
        bytes.setEntry(0, 'kind', 3);
        bytes.setEntryName(0, 'theirs');
        bytes.setEntry(0, 'state', 2);
      }
      return value;
    }) as never);
    new Counter('mine', { area });
    expect([bytes.creator(0), bytes.entryName(0), bytes.entryName(1)]).toEqual([NO_SUCH_THREAD, 'theirs', 'mine']);
  });

  test('several of them: each before the next', () => {
    const area = openForged(backend, (bytes) => {
      for (const k of [0, 1, 2]) bytes.setCreator(k, NO_SUCH_THREAD);
    });
    const bytes = bytesOf(area);
    for (const name of ['a', 'b', 'c', 'd']) new Counter(name, { area }).dispose();
    expect([0, 1, 2, 3].map((k) => [bytes.entryName(k), bytes.entry(k, 'state')])).toEqual([
      ['a', 2],
      ['b', 2],
      ['c', 2],
      ['d', 2],
    ]);
  });

  test.each([
    ['unknowable', UNKNOWABLE, 0],
    ['unknowable', UNKNOWABLE, 1],
  ])('an entry of an %s creator, state %i, is waited for: COEXIST_ETIMEDOUT, nothing changed', (_, creator, state) => {
    const area = openForged(backend, (bytes) => {
      bytes.setCreator(0, creator);
      bytes.setEntry(0, 'state', state);
    });
    const bytes = bytesOf(area);
    const before = bytes.snapshot();
    const { waits } = fastWaits();
    const error = failure('COEXIST_ETIMEDOUT', () => new Counter('mine', { area }));
    expect(error.found).toBe(`creator ${creator}`);
    expect(bytes.changed(before)).toEqual([]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(20);
    expect(waits.reduce((sum, wait) => sum + wait)).toBe(5000);
  });

  test('a living creator is waited for, and looked at again between waits: when it has died, its entry is taken over', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const creator = await startActor(backend);
    const waiter = await startActor(backend);
    const identity = await identityOf(creator);
    bytes.setCreator(0, identity);
    bytes.setEntry(0, 'state', 1);
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const made = waiter.run(
      async ({ load }, { url, memory, flag }) => {
        const { openArea, Counter } = await load(url);
        const area = openArea(memory);
        const wait = Atomics.wait;
        Atomics.wait = ((array: Int32Array, index: number, value: number, timeout: number) => {
          Atomics.add(flag, 0, 1);
          Atomics.notify(flag, 0);
          return wait(array, index, value, timeout);
        }) as typeof Atomics.wait;
        new Counter('inherited', { area }).add(2);
        return Atomics.load(flag, 0);
      },
      { url: copyUrl('a', 'core.js'), memory: memoryOf(area), flag },
    );
    const waiting = Atomics.waitAsync(flag, 0, 0, 10_000);
    await waiting.value;
    await kill(creator);
    expect(await made).toBeGreaterThan(0);
    expect([bytes.creator(0), bytes.entryName(0)]).toEqual([await identityOf(waiter), 'inherited']);
    await waiter.terminate();
  });

  test('when the creator finishes, the waiter goes on to the next entry, or finds its own name', async () => {
    for (const name of ['theirs', 'mine']) {
      const area = smallArea(backend);
      const bytes = bytesOf(area);
      bytes.setCreator(0, ownIdentity());
      bytes.setEntry(0, 'state', 1);
      const waiter = await startActor(backend);
      const made = waiter.run(
        async ({ load }, { url, memory }) => {
          const { openArea, Counter } = await load(url);
          new Counter('mine', { area: openArea(memory) }).add(2);
        },
        { url: copyUrl('b', 'core.js'), memory: memoryOf(area) },
      );
      bytes.setEntry(0, 'kind', 3);
      bytes.setEntry(0, 'version', 1);
      bytes.setEntry(0, 'size', 8);
      bytes.setEntryName(0, name);
      bytes.setHeader('block_used', 64);
      bytes.setEntry(0, 'state', 2);
      Atomics.notify(new Int32Array(area.buffer), (bytes.entryAt(0) + 8) / 4);
      await made;
      const names = [bytes.entryName(0), bytes.entryName(1)];
      expect(names).toEqual(name === 'theirs' ? ['theirs', 'mine'] : ['mine', '']);
      expect(bytes.i64[(bytes.blockAt(0) + (name === 'theirs' ? 64 : 0)) / 8]).toBe(2n);
      await waiter.terminate();
    }
  });

  test('an entry that was given back is free again', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.setCreator(0, UNKNOWABLE);
    bytes.setEntry(0, 'state', 1);
    vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      bytes.setEntry(0, 'state', 0);
      bytes.setCreator(0, 0n);
      return 'ok';
    });
    new Counter('mine', { area });
    expect([bytes.creator(0), bytes.entryName(0)]).toEqual([ownIdentity(), 'mine']);
  });

  test('of two that take an entry over, one makes it and the other finds it', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.setCreator(0, NO_SUCH_THREAD);
    const actors = await Promise.all([startActor('wasm'), startActor('twin')]);
    await Promise.all(actors.map((actor) => registerIn(actor, area, { name: 'both' })));
    expect([bytes.entryName(0), bytes.entry(0, 'state'), bytes.creator(1)]).toEqual(['library:both', 2, 0n]);
    expect(await Promise.all(actors.map(identityOf))).toContain(bytes.creator(0));
    expect([bytes.holders(0), bytes.holders(1)]).toEqual([1n, 1n]);
    for (const actor of actors) await actor.terminate();
  });

  test('a finished entry is found without looking at its creator', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area, name: 'lib' });
    bytes.setCreator(0, NO_SUCH_THREAD);
    new Counter('next', { area });
    expect([bytes.creator(0), bytes.entryName(0), bytes.entryName(1)]).toEqual([NO_SUCH_THREAD, 'library:lib', 'next']);
  });
});
