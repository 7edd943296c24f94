// How many CPUs the machine can have: the highest possible CPU number + 1, from the kernel's list.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { cpusIn, possibleCpus } from '../../src/host/node/cpu.js';
import { allowedCpus } from '../support/cpus.js';

test.each([
  ['0', 1],
  ['0-3', 4],
  ['0-3,5\n', 6],
  ['0,2,4-7', 8],
  ['8-11,0-1', 12],
  ['5', 6],
  ['', undefined],
  ['0-', undefined],
  ['none', undefined],
  ['0-3;5', undefined],
])('%j is %j', (list, count) => {
  expect(cpusIn(list)).toBe(count);
});

test('here: no CPU that this process may use lies beyond it', () => {
  expect(possibleCpus()).toBeGreaterThan(Math.max(...allowedCpus()));
  expect(possibleCpus()).toBeGreaterThanOrEqual(availableParallelism());
  expect(possibleCpus()).toBeLessThanOrEqual(4096);
  expect(possibleCpus()).toBe(cpusIn(readFileSync('/sys/devices/system/cpu/possible', 'utf8')));
});
