// Random writes, drains and looks against a model that keeps every record apart: any size at any place, both policies, two copies of
// the library and both backends taking turns in one thread. A failure names its seed.

import { Ring } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { BACKENDS, on, openIn, smallArea } from '../support/backends.js';
import { pattern, randomFrom, ringMemory } from '../support/ring-memory.js';

const STEPS = 1500;
const SEEDS = [1, 2, 3];

interface Modelled {
  readonly sequence: number;
  readonly bytes: Uint8Array;
  /** What it takes of the ring, and what was left empty before it. */
  readonly size: number;
  readonly pad: number;
}

describe.each(BACKENDS)('%s', (backend) => {
  describe.each(['drop-newest', 'overwrite'] as const)('%s', (policy) => {
    test.each([64, 128, 256, 1024])('capacity %i', async (capacity) => {
      for (const seed of SEEDS) await play(seed * 7919 + capacity, capacity, policy);
    });
  });

  async function play(seed: number, capacity: number, policy: 'overwrite' | 'drop-newest'): Promise<void> {
    const random = randomFrom(seed);
    const area = smallArea(backend);
    const other = await openIn('b', backend === 'wasm' ? 'twin' : 'wasm', area);
    const rings = on(backend, () => [new Ring('r', { capacity, policy, area })]);
    rings.push(new other.lib.Ring('r', { capacity, policy, area: other.area }) as unknown as Ring);
    const raw = ringMemory(area, 0);
    const outside = raw.outside();
    const pending: Modelled[] = [];
    let [tail, attempted, delivered] = [0, 0, 0];
    const used = (): number => pending.reduce((sum, { size, pad }) => sum + size + pad, 0);

    for (let step = 0; step < STEPS; step++) {
      const where = `seed ${seed}, step ${step}`;
      const ring = rings[random(2)] as Ring;
      const action = random(10);
      if (action < 7) {
        const bytes = pattern(random(1 << 16), random(ring.longest + 1));
        const size = 16 + Math.ceil(bytes.length / 16) * 16;
        const pad = (tail % capacity) + size > capacity ? capacity - (tail % capacity) : 0;
        if (policy === 'overwrite') while (used() + size + pad > capacity) removeOldest(pending);
        const fits = used() + size + pad <= capacity;
        expect(ring.write(bytes), where).toBe(fits);
        if (fits) {
          pending.push({ sequence: attempted, bytes, size, pad });
          tail += size + pad;
        }
        attempted++;
      } else if (action < 9) {
        const limit = random(4) === 0 ? Number.POSITIVE_INFINITY : random(5);
        const expected = pending.splice(0, limit);
        delivered += expected.length;
        const got = ring.take({ limit });
        expect(
          got.map(({ sequence, bytes }) => [sequence, ...bytes]),
          where,
        ).toEqual(expected.map(({ sequence, bytes }) => [sequence, ...bytes]));
      } else {
        expect(
          ring.peek().map(({ sequence }) => sequence),
          where,
        ).toEqual(pending.map(({ sequence }) => sequence));
      }
      if (step % 50 !== 0) continue;
      const dropped = attempted - delivered - pending.length;
      const books = { attempted, delivered, dropped, pending: pending.length };
      const { slots: _, ...stats } = ring.stats();
      expect(Object.fromEntries(Object.entries(stats).map(([name, value]) => [name, Number(value)])), where).toEqual(
        books,
      );
      expect(raw.read('tail'), where).toBe(BigInt(tail));
    }
    expect(raw.outside(), `seed ${seed}`).toBe(outside);
  }
});

/** What stays empty before a record is passed over by itself; the model counts it with its record. */
function removeOldest(pending: Modelled[]): void {
  const [oldest] = pending;
  if (oldest !== undefined && oldest.pad > 0) pending[0] = { ...oldest, pad: 0 };
  else pending.shift();
}
