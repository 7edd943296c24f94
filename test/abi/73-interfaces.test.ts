// Clause 73: interfaces of the process: one word that says which module began to implement an interface last.

import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { A, enter, forged, lib, moduleArea } from '../support/module-words.js';
import { entryOf, namesOf } from '../support/object-words.js';

const { noteInterface, interfaceVersionAt, inspectModules } = lib;

/** The word as the clause says it. */
const stateOf = (module: number, generation: number): number => ((generation << 12) | (module + 1)) >>> 0;

describe.each(BACKENDS)('%s', (backend: Backend) => {
  function interfaced(name = 'display') {
    const area = moduleArea(backend);
    const bytes = bytesOf(area);
    on(backend, () => noteInterface(area, name, 3, 7));
    const entry = entryOf(bytes, 'interface', `interface:${name}`);
    return {
      area,
      bytes,
      entry,
      state: () => Atomics.load(bytes.u32, entry.at >>> 2),
      plant: (value: number) => Atomics.store(bytes.u32, entry.at >>> 2, value),
    };
  }

  test('the object, and the first module', () => {
    const { bytes, entry, state } = interfaced();
    expect([entry.version, entry.size, state()]).toEqual([3, 4, stateOf(7, 1)]);
    expect(bytes.u32[(entry.at >>> 2) + 1]).toBe(0);
  });

  test('the same module again changes nothing; another one is a generation more', () => {
    const { area, state } = interfaced();
    expect([noteInterface(area, 'display', 3, 7), state()]).toEqual([1, stateOf(7, 1)]);
    expect([noteInterface(area, 'display', 3, 8), state()]).toEqual([2, stateOf(8, 2)]);
    expect([noteInterface(area, 'display', 3, 7), state()]).toEqual([3, stateOf(7, 3)]);
    expect([noteInterface(area, 'display', 3, 0), state()]).toEqual([4, stateOf(0, 4)]);
  });

  test('what others wrote is gone on with: no module yet, and the last generation', () => {
    const { area, state, plant } = interfaced();
    plant(0);
    expect([noteInterface(area, 'display', 3, 4094), state()]).toEqual([1, stateOf(4094, 1)]);
    plant(stateOf(9, 0xfffff));
    expect([noteInterface(area, 'display', 3, 9), state()]).toEqual([0xfffff, stateOf(9, 0xfffff)]);
    expect([noteInterface(area, 'display', 3, 5), state()]).toEqual([0, stateOf(5, 0)]);
  });

  test('a thread that is faster in between is not overwritten', () => {
    const { area, state, plant } = interfaced();
    const original = Atomics.compareExchange;
    const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce(((...args: unknown[]) => {
      plant(stateOf(2, 6));
      return (original as (...args: unknown[]) => unknown).call(Atomics, ...args);
    }) as never);
    expect(noteInterface(area, 'display', 3, 5)).toBe(7);
    spy.mockRestore();
    expect(state()).toBe(stateOf(5, 7));
  });

  test('another version is refused, naming both, and nothing changes', () => {
    const { area, bytes } = interfaced();
    const before = bytes.snapshot();
    const { message } = failure('COEXIST_EKIND', () => noteInterface(area, 'display', 4, 7));
    expect(message).toContain('"interface:display" has version 3, expected 4');
    expect(bytes.changed(before)).toEqual([]);
  });

  test('the version that the process knows; asking makes nothing', () => {
    const { area, bytes } = interfaced();
    const before = bytes.snapshot();
    expect([interfaceVersionAt(area, 'display'), interfaceVersionAt(area, 'displa')]).toEqual([3, undefined]);
    // A module is no interface.
    expect(interfaceVersionAt(forged(backend).area, 'm')).toBeUndefined();
    expect(bytes.changed(before)).toEqual([]);
  });

  test('the longest name, and the first and last version', () => {
    const area = moduleArea(backend);
    const name = `a/b:${'n'.repeat(60)}`;
    on(backend, () => noteInterface(area, name, 65535, 0));
    noteInterface(area, 'b', 1, 0);
    expect(namesOf(bytesOf(area), 'interface')).toEqual([`interface:${name}`, 'interface:b']);
    expect([interfaceVersionAt(area, name), interfaceVersionAt(area, 'b')]).toEqual([65535, 1]);
  });

  test('an entry whose number has no room is refused, and makes nothing', () => {
    const area = moduleArea(backend);
    expect(failure('COEXIST_ENOSPC', () => noteInterface(area, 'x', 1, 4095)).message).toContain('entry 4095');
    expect(namesOf(bytesOf(area), 'interface')).toEqual([]);
  });

  test('a module is listed with what it was the last to begin to implement', () => {
    const { area, record } = forged(backend);
    enter(record, A);
    noteInterface(area, 'one', 1, record.index);
    noteInterface(area, 'two', 2, record.index + 50);
    noteInterface(area, 'two', 2, record.index);
    noteInterface(area, 'three', 3, record.index);
    noteInterface(area, 'three', 3, record.index + 50);
    expect(inspectModules({ area })[0]?.interfaces).toEqual([
      { name: 'one', version: 1, generation: 1 },
      { name: 'two', version: 2, generation: 2 },
    ]);
  });
});
