// Clause 52: which CPU number a thread publishes, when, and in which order it is written. The copies of the library here take theirs
// from a variable, as a host that knows CPU numbers would give it; what the real ones are is test/cpu's matter.

import { beforeAll, describe, expect, test, vi } from 'vitest';
import type * as core from '../../src/core.js';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, on, smallArea } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { lines, writesOf } from '../support/writes.js';

/** What the two copies' hosts say; the second knows no number unless told one. */
const numbers = { a: { cpu: 3, node: 1 }, b: { cpu: -1, node: 0 } };
const libs = {} as Record<'a' | 'b', typeof core>;

beforeAll(async () => {
  for (const name of ['a', 'b'] as const) {
    const lib = (await import(copyUrl(name, 'core.js'))) as typeof core;
    const number = numbers[name];
    const openCpu = () =>
      ({ via: 'sched_getcpu', ffi: 'test', reasons: [], cpu: () => number.cpu, node: () => number.node }) as const;
    Object.assign(lib.host, { openCpu });
    libs[name] = lib;
  }
});

function opened(backend: (typeof BACKENDS)[number]) {
  Object.assign(numbers.a, { cpu: 3, node: 1 });
  Object.assign(numbers.b, { cpu: -1, node: 0 });
  // Room for a shard of each CPU of a large machine.
  const area = smallArea(backend, { heapBytes: 2 ** 20 });
  const bytes = bytesOf(area);
  const [inA, inB] = [libs.a, libs.b].map((lib) => on(backend, () => lib.openArea(memoryOf(area))));
  const shown = () => [bytes.slot(0, 'node_id'), bytes.slot(0, 'cpu_id_start'), bytes.cpuId(0)];
  return { area, bytes, shown, inA: inA as core.Area, inB: inB as core.Area };
}

describe.each(BACKENDS)('%s', (backend) => {
  test('at the registration: the number that the host knows, with its node', () => {
    const { bytes, shown, inA } = opened(backend);
    const registration = libs.a.register({ area: inA });
    expect(shown()).toEqual([1, 3, 3]);
    // What is dense and exclusive stays the slot's index.
    expect([registration.slot, bytes.slot(0, 'mm_cid')]).toEqual([0, 0]);
    registration.unregister();
    expect([bytes.slot(0, 'cpu_id_start'), bytes.cpuId(0)]).toEqual([0, -1]);
  });

  test('where the host knows none: the slot’s own index', () => {
    const { bytes, shown, inB, area } = opened(backend);
    bytes.plant(0, { owner: 1n << 40n });
    const registration = libs.b.register({ area: inB });
    expect(registration.slot).toBe(1);
    expect([bytes.slot(1, 'node_id'), bytes.slot(1, 'cpu_id_start'), bytes.cpuId(1)]).toEqual([0, 1, 1]);
    expect([registration.publish(), registration.cpuId()]).toEqual([1, 1]);
    expect(shown()).toEqual([0, 0, 0]);
    expect(area.geometry.slotCapacity).toBe(4);
  });

  test('a further registration publishes nothing; asking does, in any copy', () => {
    const { shown, inA, inB } = opened(backend);
    const first = libs.a.register({ area: inA });
    numbers.a.cpu = 5;
    const second = libs.a.register({ area: inA });
    expect(shown()).toEqual([1, 3, 3]);
    expect(second.publish()).toBe(5);
    expect(shown()).toEqual([1, 5, 5]);
    // A copy that knows no number leaves that of one that does.
    const third = libs.b.register({ area: inB });
    expect([third.publish(), third.cpuId(), first.cpuId()]).toEqual([5, 5, 5]);
    Object.assign(numbers.b, { cpu: 0, node: 2 });
    expect(third.publish()).toBe(0);
    expect(shown()).toEqual([2, 0, 0]);
  });

  test('operations by CPU publish another number that they find', () => {
    const { shown, bytes, inA } = opened(backend);
    const counter = new libs.a.PerCpuCounter('c', { area: inA });
    counter.add(1);
    expect(shown()).toEqual([1, 3, 3]);
    numbers.a.cpu = 1;
    counter.add(1);
    expect(shown()).toEqual([1, 1, 1]);
    const before = bytes.slot(0, 'registered_total');
    counter.add(1);
    expect([counter.sum(), bytes.slot(0, 'registered_total')]).toEqual([3n, before]);
    counter.dispose();
  });

  test('a number beyond the CPUs of the machine is published as it is, and folded where it is an index', () => {
    const { shown, inA } = opened(backend);
    numbers.a.cpu = 4095;
    const counter = new libs.a.PerCpuCounter('c', { area: inA });
    counter.add(2);
    expect(shown()).toEqual([1, 4095, 4095]);
    expect(counter.sum()).toBe(2n);
    counter.dispose();
  });
});

describe('in the twin, write by write', () => {
  test('the first registration: node_id, refcount, cpu_id_start, cpu_id', () => {
    const { inA } = opened('twin');
    const steps = lines(writesOf(inA, () => libs.a.register({ area: inA })));
    expect(steps.filter((step) => step.startsWith('slot[0].')).slice(-4)).toEqual([
      'slot[0].node_id = 1',
      'slot[0].refcount = 1',
      'slot[0].cpu_id_start = 3',
      'slot[0].cpu_id = 3',
    ]);
  });

  test('publishing: node_id, cpu_id_start, then cpu_id; nothing where nothing differs', () => {
    const { inA } = opened('twin');
    const registration = libs.a.register({ area: inA });
    Object.assign(numbers.a, { cpu: 6, node: 2 });
    expect(lines(writesOf(inA, () => registration.publish()))).toEqual([
      'slot[0].node_id = 2',
      'slot[0].cpu_id_start = 6',
      'slot[0].cpu_id = 6',
    ]);
    numbers.a.node = 9;
    expect(lines(writesOf(inA, () => registration.publish()))).toEqual([]);
  });

  test('cpu_id by CAS from the value read: what came in between stands', () => {
    const { inA, bytes } = opened('twin');
    const registration = libs.a.register({ area: inA });
    numbers.a.cpu = 6;
    const exchange = Atomics.compareExchange as (array: unknown, ...values: unknown[]) => unknown;
    const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce(((array: unknown, ...values: number[]) => {
      bytes.setSlot(0, 'cpu_id', -2);
      return exchange.call(Atomics, array, ...values);
    }) as never);
    expect(() => registration.publish()).toThrow(expect.objectContaining({ code: 'COEXIST_EUNREGISTERED' }));
    spy.mockRestore();
    expect(bytes.cpuId(0)).toBe(-2);
  });
});
