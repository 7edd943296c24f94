// Rings between threads: writers that die with records pending, drainers that die with the lock, several drainers at once, and two
// copies of the library in one writing thread. What arrives is whole, in order and once, and the books close.

import { MUTEX } from 'coexist/abi';
import { Ring, type RingReader } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { type Actor, until } from '../support/actor.js';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { ringMemory } from '../support/ring-memory.js';
import { kill, livesInProc } from '../support/threads.js';

type Area = ReturnType<typeof smallArea>;
const CAPACITY = 512;

interface Writing {
  readonly area: Area;
  readonly writer: number;
  readonly count: number;
  readonly policy?: 'overwrite' | 'drop-newest';
}

/** Writes records of [writer, number, then as many times the number's low byte as it says], by two copies in turn. */
function writeIn(actor: Actor, { area, writer, count, policy = 'drop-newest' }: Writing): Promise<number> {
  return actor.run(
    async ({ load, state }, { urls, memory, writer, count, policy, capacity }) => {
      const rings = [];
      for (const url of urls) {
        const lib = await load(url);
        rings.push(new lib.Ring('r', { capacity, policy, area: lib.openArea(memory) }));
      }
      state['rings'] = rings;
      const words = new Uint32Array(32);
      const bytes = new Uint8Array(words.buffer);
      let stored = 0;
      for (let k = 0; k < count; k++) {
        const length = (k * 7) % 80;
        words[0] = writer;
        words[1] = k;
        bytes.fill(k & 255, 8, 8 + length);
        if (rings[k & 1]?.write(bytes, 8 + length)) stored++;
      }
      return stored;
    },
    {
      urls: [copyUrl('a', 'core.js'), copyUrl('b', 'core.js')],
      memory: memoryOf(area),
      writer,
      count,
      policy,
      capacity: CAPACITY,
    },
  );
}

type Row = readonly [slot: number, generation: number, writer: number, number: number, whole: boolean];

/** Drains in the actor's thread until told to stop, by a word of the heap; the rows come back in the order of arrival. */
function drainIn(actor: Actor, area: Area): Promise<Row[]> {
  return actor.run(
    async ({ load }, { url, memory, capacity, stop }) => {
      const lib = await load(url);
      const area = lib.openArea(memory);
      const reader = lib.Ring.reader('r', { capacity, area });
      const flag = new Int32Array(area.buffer);
      const rows: Row[] = [];
      for (let last = false; ; ) {
        const count = reader.drain(({ slot, generation, bytes }) => {
          const [writer, number] = new Uint32Array(bytes.slice(0, 8).buffer) as unknown as [number, number];
          const whole =
            bytes.length === 8 + ((number * 7) % 80) && bytes.subarray(8).every((b) => b === (number & 255));
          rows.push([slot, generation, writer, number, whole]);
        });
        if (last && count === 0) return rows;
        last = Atomics.load(flag, stop) === 1;
        if (count === 0) Atomics.wait(flag, stop, 0, 1);
      }
    },
    { url: copyUrl('a', 'core.js'), memory: memoryOf(area), capacity: CAPACITY, stop: area.geometry.heapOffset / 4 },
  );
}

const stopDrainers = (area: Area): void => {
  Atomics.store(new Int32Array(area.buffer), area.geometry.heapOffset / 4, 1);
};

/** Whole, and by writer in ascending order, so once. */
function expectInOrder(rows: readonly Row[]): void {
  const last = new Map<number, number>();
  for (const [, , writer, number, whole] of rows) {
    expect([whole, number], `record ${number} of writer ${writer}`).toEqual([true, number]);
    expect(number).toBeGreaterThan(last.get(writer) ?? -1);
    last.set(writer, number);
  }
}

function rowsOf(reader: RingReader): Row[] {
  return reader.take().map(({ slot, generation, bytes }) => {
    const [writer, number] = new Uint32Array(bytes.slice(0, 8).buffer) as unknown as [number, number];
    const whole = bytes.length === 8 + ((number * 7) % 80) && bytes.subarray(8).every((b) => b === (number & 255));
    return [slot, generation, writer, number, whole];
  });
}

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const readerOf = (area: Area): RingReader => on(backend, () => Ring.reader('r', { capacity: CAPACITY, area }));

  test('a writer’s records outlive it, and the next owner of its slot goes on behind them', async () => {
    const area = smallArea(backend);
    const reader = readerOf(area);
    const first = await startActor(backend);
    const stored = await writeIn(first, { area, writer: 1, count: 5 });
    await kill(first);
    expect(reader.peek().map(({ generation }) => generation)).toEqual([1, 1, 1, 1, 1]);
    area.reclaim();
    const second = await startActor(backend);
    const more = await writeIn(second, { area, writer: 2, count: 3 });
    expect(reader.stats()).toMatchObject({ attempted: 8n, pending: BigInt(stored + more), delivered: 0n });
    const rows = rowsOf(reader);
    expectInOrder(rows);
    expect(rows.map(([slot, generation, writer]) => [slot, generation, writer])).toEqual([
      ...Array.from({ length: stored }, () => [0, 1, 1]),
      ...Array.from({ length: more }, () => [0, 2, 2]),
    ]);
    await second.terminate();
  });

  test.each(['drop-newest', 'overwrite'] as const)('writers and drainers at once: %s', async (policy) => {
    const area = smallArea(backend, { slots: 8 });
    const reader = readerOf(area);
    const [one, two, ...drainers] = await Promise.all([
      startActor(backend),
      startActor(backend === 'wasm' ? 'twin' : 'wasm'),
      startActor('wasm'),
      startActor('twin'),
    ]);
    const draining = drainers.map((actor) => drainIn(actor, area));
    const counts = [20_000, 10_000] as const;
    await Promise.all([
      writeIn(one as Actor, { area, writer: 1, count: counts[0], policy }),
      writeIn(two as Actor, { area, writer: 2, count: counts[1], policy }),
    ]);
    stopDrainers(area);
    const parts = await Promise.all(draining);
    const rest = rowsOf(reader);
    for (const rows of [...parts, rest]) expectInOrder(rows);
    const all = [...parts, rest].flat().map(([, , writer, number]) => `${writer}/${number}`);
    expect(new Set(all).size).toBe(all.length);
    const stats = reader.stats();
    expect([stats.attempted, stats.delivered, stats.pending]).toEqual([30_000n, BigInt(all.length), 0n]);
    expect(stats.attempted).toBe(stats.delivered + stats.dropped);
    for (const actor of [one, two, ...drainers]) await actor?.terminate();
  });

  test('a drainer that lives is waited for, if asked, and passed over otherwise; one that died is taken over from', async () => {
    const area = smallArea(backend);
    const reader = readerOf(area);
    const writer = await startActor(backend);
    await writeIn(writer, { area, writer: 1, count: 4 });
    const raw = ringMemory(area, 0);
    const holder = await startActor(backend);
    const hold = () =>
      holder.run(
        async ({ load, state }, { url, memory, at }) => {
          const lib = await load(url);
          // The inner lock is a mutex by its first words.
          state['guard'] = lib.Mutex.at(memory, at).lock();
        },
        { url: copyUrl('a', 'core.js'), memory: memoryOf(area), at: raw.at + MUTEX.owner.offset },
      );
    await hold();
    expect(reader.take()).toEqual([]);
    holder.post(({ state }) => void setTimeout(() => (state['guard'] as { unlock(): void }).unlock(), 50));
    expect(reader.take({ limit: 1, timeout: 20_000 }).length).toBe(1);
    await hold();
    expect([reader.take(), reader.take({ timeout: 1 })]).toEqual([[], []]);
    expect([reader.peek().length, reader.stats().pending]).toEqual([3, 3n]);
    await kill(holder);
    expect(reader.take().map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect([raw.read('owner'), raw.read('delivered')]).toEqual([0n, 4n]);
    await writer.terminate();
  });

  test('terminated while writing, again and again: nothing torn, nothing twice, the books close', async () => {
    const area = smallArea(backend);
    const reader = readerOf(area);
    const rows: Row[] = [];
    for (let writer = 1; writer <= 12; writer++) {
      const actor = await startActor(backend);
      void writeIn(actor, {
        area,
        writer,
        count: 100_000_000,
        policy: writer % 2 === 0 ? 'overwrite' : 'drop-newest',
      }).catch(() => {});
      const enough = Date.now() + 20 * (writer % 4);
      do {
        rows.push(...rowsOf(reader));
        await new Promise((resolve) => setTimeout(resolve, 1));
      } while (Date.now() < enough || rows.at(-1)?.[2] !== writer);
      // Busy as it is, it answers nothing.
      const identity = bytesOf(area).owner(0);
      await actor.terminate();
      await until('the death is visible', () => !livesInProc(identity));
      expect(area.reclaim()).toBe(1);
    }
    rows.push(...rowsOf(reader));
    expectInOrder(rows);
    const { attempted, delivered, dropped, pending } = reader.stats();
    expect([delivered, pending]).toEqual([BigInt(rows.length), 0n]);
    expect(attempted).toBe(delivered + dropped);
  });
});
