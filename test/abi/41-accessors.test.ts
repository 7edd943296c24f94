// Clause 41: an accessor holds a registration, so its slot cannot change under it; after its disposal it writes nothing.

import { register } from 'coexist';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged, openIn, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { UNKNOWABLE } from '../support/threads.js';

describe.each(BACKENDS)('%s', (backend) => {
  test('construction registers, disposal unregisters, each once', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const count = (): number => bytes.slot(0, 'refcount');
    const counter = new Counter('c', { area, holder: 'lib' });
    const block = new PerThread('p', { type: 'u8', length: 1, area });
    expect([count(), bytes.holders(0)]).toEqual([2, 1n]);
    counter.dispose();
    counter.dispose();
    counter[Symbol.dispose]();
    expect(count()).toBe(1);
    block.dispose();
    block[Symbol.dispose]();
    expect([count(), bytes.owner(0)]).toEqual([0, 0n]);
  });

  test('it keeps the slot while everyone else leaves, and writes there', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.plant(0, { owner: UNKNOWABLE });
    const others = [register({ area }), register({ area })];
    const counter = new Counter('c', { area });
    const { lib, area: same } = await openIn('b', backend, area);
    others.push(lib.register({ area: same }) as never);
    for (const other of others) other.unregister();
    bytes.setOwner(0, 0n);
    bytes.setHeader('slot_hint', 0);
    counter.add(3);
    const again = register({ area });
    expect([again.slot, again.generation, counter.own()]).toEqual([1, 1, 3n]);
    expect(bytes.i64[bytes.blockAt(1) / 8]).toBe(3n);
  });

  test('after disposal: COEXIST_EUNREGISTERED, and not a byte is written, into whosever slot it now is', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const counter = new Counter('c', { area });
    const block = new PerThread('p', { type: 'u32', length: 2, area });
    counter.add(4);
    counter.dispose();
    block.dispose();
    bytes.plant(0, { owner: UNKNOWABLE, generation: 9 });
    const before = bytes.snapshot();
    for (const n of [undefined, 1, 5]) failure('COEXIST_EUNREGISTERED', () => counter.add(n));
    failure('COEXIST_EUNREGISTERED', () => counter.own());
    failure('COEXIST_EUNREGISTERED', () => block.own);
    counter.dispose();
    block.dispose();
    expect(counter.sum()).toBe(4n);
    expect([...block.blocks()].map(({ slot }) => slot)).toEqual([0]);
    expect(bytes.changed(before)).toEqual([]);
  });

  test('one accessor’s end does not end another’s', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const [first, second] = [new Counter('c', { area }), new Counter('c', { area })];
    first.dispose();
    second.add(2);
    expect([second.sum(), bytes.slot(0, 'refcount')]).toEqual([2n, 1]);
  });

  test.each([
    ['COEXIST_EINVAL', () => ({ slots: 4 })],
    ['COEXIST_EFULL', () => ({ full: true })],
    ['COEXIST_ENOSPC', () => ({ noRoom: true })],
  ])('a construction that fails with %s leaves no registration', (code, setup) => {
    const { full = false, noRoom = false } = setup() as { full?: boolean; noRoom?: boolean };
    const area = openForged(backend, (bytes) => {
      if (full) for (const i of [0, 1, 2, 3]) bytes.plant(i, { owner: UNKNOWABLE });
      if (noRoom) bytes.setHeader('block_used', 4096);
    });
    const bytes = bytesOf(area);
    const slots = (): string =>
      JSON.stringify([0, 1, 2, 3].map((i) => [String(bytes.owner(i)), bytes.slot(i, 'refcount'), bytes.cpuId(i)]));
    const before = slots();
    failure(code, () => new Counter('c', { area, holder: code === 'COEXIST_EINVAL' ? '' : 'lib' }));
    failure(code, () => new PerThread('p', { type: 'u8', length: code === 'COEXIST_EINVAL' ? 0 : 1, area }));
    expect(slots()).toBe(before);
  });
});
