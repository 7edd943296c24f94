// publish(): the number goes into the slot when asked, and where it differs; what it does not own it does not touch. The copy of the
// library here takes its CPU number from a variable.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { bytesOf } from '../support/area-bytes.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { UNKNOWABLE } from '../support/threads.js';

let lib: typeof core;
let cpu = 0;
let node = 0;

beforeAll(async () => {
  lib = (await import(copyUrl('a', 'core.js'))) as typeof core;
  const openCpu = () => ({ via: 'sched_getcpu', ffi: 'test', reasons: [], cpu: () => cpu, node: () => node }) as const;
  Object.assign(lib.host, { openCpu });
});
beforeEach(() => {
  cpu = 2;
  node = 1;
});

function registered(options: core.RegisterOptions = {}) {
  const area = lib.createArea({ slots: 2, blockBytes: 4096, heapBytes: 0 });
  const registration = lib.register({ ...options, area });
  const bytes = bytesOf(area);
  const shown = () => [bytes.slot(0, 'node_id'), bytes.slot(0, 'cpu_id_start'), bytes.cpuId(0)];
  return { area, registration, bytes, shown };
}

describe('publish()', () => {
  test('the number of the registration stays in the slot until it is asked', () => {
    const { registration, shown } = registered();
    expect(shown()).toEqual([1, 2, 2]);
    [cpu, node] = [5, 3];
    expect(registration.cpuId()).toBe(5);
    expect(shown()).toEqual([1, 2, 2]);
    expect(registration.publish()).toBe(5);
    expect(shown()).toEqual([3, 5, 5]);
    cpu = 0;
    expect([registration.publish(), registration.cpuId()]).toEqual([0, 0]);
    expect(shown()).toEqual([3, 0, 0]);
  });

  test('nothing is written where the number is the one in the slot', () => {
    const { registration, bytes } = registered();
    node = 7;
    const before = bytes.snapshot();
    expect(registration.publish()).toBe(2);
    expect(bytes.changed(before)).toEqual([]);
  });

  test('where no number is known any more, what is in the slot stays', () => {
    const { registration, bytes } = registered();
    const before = bytes.snapshot();
    cpu = -1;
    expect([registration.publish(), registration.cpuId()]).toEqual([2, 2]);
    expect(bytes.changed(before)).toEqual([]);
  });

  test('any handle of the thread publishes for all, permanent ones too', () => {
    const { area, registration, shown } = registered({ permanent: true });
    const other = lib.register({ area });
    cpu = 4;
    expect(other.publish()).toBe(4);
    expect(registration.publish()).toBe(4);
    expect(shown()).toEqual([1, 4, 4]);
  });

  test('after the end of the registration: COEXIST_EUNREGISTERED, nothing changed', () => {
    const { area, registration, bytes } = registered();
    const other = lib.register({ area });
    registration.unregister();
    cpu = 4;
    const before = bytes.snapshot();
    failure('COEXIST_EUNREGISTERED', () => registration.publish());
    expect(registration.cpuId()).toBe(-1);
    expect(bytes.changed(before)).toEqual([]);
    other.unregister();
    failure('COEXIST_EUNREGISTERED', () => other.publish());
    expect(bytes.cpuId(0)).toBe(-1);
  });

  test.each<[string, (bytes: ReturnType<typeof bytesOf>) => void]>([
    ['has another owner', (bytes) => void bytes.plant(0, { owner: UNKNOWABLE, cpu_id: 7 })],
    ['is under another claim', (bytes) => bytes.setSlot(0, 'generation', 9)],
    ['is not registered', (bytes) => bytes.setSlot(0, 'cpu_id', -1)],
    ['is refused', (bytes) => bytes.setSlot(0, 'cpu_id', -2)],
  ])('a slot that %s: COEXIST_EUNREGISTERED, nothing changed', (_, spoil) => {
    const { registration, bytes } = registered();
    spoil(bytes);
    cpu = 4;
    const before = bytes.snapshot();
    failure('COEXIST_EUNREGISTERED', () => registration.publish());
    expect(bytes.changed(before)).toEqual([]);
  });
});
