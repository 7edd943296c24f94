// The library and code that was written from docs/ABI.md alone write into the same ring and drain it, in one thread, across threads at
// once, and across a death (clause 60).

import { describe, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { pattern, randomFrom } from '../support/ring-memory.js';
import { kill } from '../support/threads.js';
import type * as independent from './implementation.js';
import { open } from './implementation.js';
import * as rings from './rings.js';

const lib = (await import(copyUrl('a', 'core.js'))) as typeof core;
const urls = {
  library: copyUrl('b', 'core.js'),
  independent: new URL('./implementation.js', import.meta.url).href,
  rings: new URL('./rings.js', import.meta.url).href,
};
type User = 'library' | 'independent';
const memoryOf = ({ memory, buffer }: core.Area): core.AreaValue => memory ?? buffer;
const USERS: readonly User[] = ['library', 'independent'];
const CAPACITY = 256;

describe.each([false, true])('overwriting: %s', (overwrite) => {
  test('in one thread, taking turns at random, either side sees what the other has done', () => {
    const area = lib.createArea({ slots: 2 });
    const policy = overwrite ? 'overwrite' : 'drop-newest';
    const ours = new lib.Ring('r', { capacity: CAPACITY, policy, area });
    const theirs = rings.ring('r', { capacity: CAPACITY, overwrite }, open(memoryOf(area)));
    const random = randomFrom(97);
    const sizes: number[] = [];
    let [delivered, last] = [0, -1];
    for (let step = 0; step < 5000; step++) {
      if (random(4) > 0) {
        const size = random(CAPACITY / 2 - 15);
        const writer = random(2) === 0 ? ours : theirs;
        const stored = writer.write(pattern(sizes.length, size));
        if (overwrite) expect(stored).toBe(true);
        sizes.push(size);
        continue;
      }
      const records = random(2) === 0 ? ours.take() : theirs.take();
      delivered += records.length;
      for (const { slot, generation, sequence, bytes } of records) {
        expect(sequence).toBeGreaterThan(last);
        last = sequence;
        expect([slot, generation, ...bytes]).toEqual([0, 1, ...pattern(sequence, sizes[sequence] as number)]);
      }
      expect(theirs.books(0)).toEqual([BigInt(sizes.length), BigInt(delivered)]);
    }
    expect(delivered).toBeGreaterThan(1000);
    ours.dispose();
    theirs.dispose();
    expect(area.inspect().slots).toEqual([]);
  });

  /** Writes so many records of 4 to 40 bytes that begin with their number. */
  const write = (actor: Actor, user: User, memory: unknown, count: number): Promise<boolean> =>
    actor.run(
      async ({ load, state }, { urls, user, memory, count, capacity, overwrite }) => {
        let writer: { write(bytes: Uint8Array): boolean };
        if (user === 'library') {
          const { Ring, openArea } = await load(urls.library);
          const policy = overwrite ? 'overwrite' : 'drop-newest';
          writer = new Ring('r', { capacity, policy, area: openArea(memory as core.AreaValue) });
        } else {
          const { open } = await load<typeof independent>(urls.independent);
          const { ring } = await load<typeof rings>(urls.rings);
          writer = ring('r', { capacity, overwrite }, open(memory));
        }
        state['writer'] = writer;
        let all = true;
        for (let k = 0; k < count; k++) {
          const bytes = new Uint8Array(4 + (k % 37)).fill(k & 255);
          new DataView(bytes.buffer).setUint32(0, k);
          all = writer.write(bytes) && all;
        }
        return all;
      },
      { urls, user, memory, count, capacity: CAPACITY, overwrite },
    );

  test.each([
    ['library', 'independent'],
    ['independent', 'library'],
  ] as const)('the %s writes, the %s drains meanwhile: whole, once, in order', async (writer, drainer) => {
    const area = lib.createArea({ slots: 2 });
    const theirs = rings.ring('r', { capacity: CAPACITY, writes: false }, open(memoryOf(area)));
    const reader = lib.Ring.reader('r', { capacity: CAPACITY, area });
    const actor = await Actor.start();
    let [done, count, last] = [false, 0, -1];
    const writing = write(actor, writer, memoryOf(area), 30_000).finally(() => {
      done = true;
    });
    for (let ended = false; ; ) {
      const records = drainer === 'library' ? reader.take() : theirs.take();
      count += records.length;
      for (const { sequence, bytes } of records) {
        expect(sequence).toBeGreaterThan(last);
        last = sequence;
        expect(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)).toBe(sequence);
        expect([bytes.length, bytes.subarray(4).every((byte) => byte === (sequence & 255))]).toEqual([
          4 + (sequence % 37),
          true,
        ]);
      }
      if (ended) break;
      ended = done;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    expect(theirs.books(0)).toEqual([30_000n, BigInt(count)]);
    expect(reader.stats()).toMatchObject({ dropped: BigInt(30_000 - count), pending: 0n });
    await actor.terminate();
  });

  test.each(USERS)('a thread with the %s dies, one with the other goes on in its ring', async (first) => {
    const area = lib.createArea({ slots: 1 });
    const second = USERS.find((user) => user !== first) as User;
    for (const user of [first, second]) {
      const actor = await Actor.start();
      expect(await write(actor, user, memoryOf(area), 2)).toBe(true);
      await kill(actor);
    }
    const reader = lib.Ring.reader('r', { capacity: CAPACITY, area });
    expect(reader.peek().map(({ generation, sequence }) => [generation, sequence])).toEqual([
      [1, 0],
      [1, 1],
      [2, 2],
      [2, 3],
    ]);
    expect(rings.ring('r', { capacity: CAPACITY, writes: false }, open(memoryOf(area))).take().length).toBe(4);
  });
});

test('each refuses a ring that the other made of another size', () => {
  const area = lib.createArea({ slots: 1 });
  lib.Ring.reader('ours', { capacity: 64, area });
  rings.ring('theirs', { capacity: 64, writes: false }, open(memoryOf(area)));
  const refused = expect.objectContaining({ code: 'COEXIST_EKIND' });
  expect(() => rings.ring('ours', { capacity: 128, writes: false }, open(memoryOf(area)))).toThrow(refused);
  expect(() => lib.Ring.reader('theirs', { capacity: 128, area })).toThrow(refused);
});
