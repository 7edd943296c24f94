// Clause 21: the holders word: the i-th library entry of the directory is bit i, everything beyond is bit 63; it is cleared
// with the slot only and decides nothing.

import { type Area, register } from 'coexist';
import { KINDS } from 'coexist/abi';
import { Counter } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { type AreaBytes, bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged, openIn, registerIn, smallArea, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { UNKNOWABLE } from '../support/threads.js';

const BEYOND = 1n << 63n;

function plantEntry(bytes: AreaBytes, k: number, name: string, kind = KINDS.library.number as number): void {
  bytes.setCreator(k, UNKNOWABLE);
  bytes.setEntry(k, 'kind', kind);
  bytes.setEntryName(k, name);
  bytes.setEntry(k, 'state', 2);
}

const names = (area: Area): readonly string[] | undefined => area.inspect().slots[0]?.holders;

describe.each(BACKENDS)('%s', (backend) => {
  test('bit i is the i-th entry of kind library, not the i-th entry', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    new Counter('not a library', { area });
    register({ area, name: 'first' });
    expect(bytes.holders(0)).toBe(1n);
    new Counter('nor this', { area });
    register({ area, name: 'second' });
    register({ area, name: 'first' });
    register({ area });
    expect(bytes.holders(0)).toBe(3n);
    const { lib, area: same } = await openIn('a', backend, area);
    lib.register({ area: same, name: 'third' });
    lib.register({ area: same, name: 'second' });
    expect(bytes.holders(0)).toBe(7n);
    expect(names(area)).toEqual(['first', 'second', 'third']);
  });

  test('every thread has its own word over the same names', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area, name: 'a' });
    const actor = await startActor(backend);
    await registerIn(actor, area, { name: 'b' });
    expect([bytes.holders(0), bytes.holders(1)]).toEqual([1n, 2n]);
    await actor.terminate();
  });

  test.each([
    [0, 1n],
    [31, 1n << 31n],
    [32, 1n << 32n],
    [62, 1n << 62n],
    [63, BEYOND],
    [64, BEYOND],
    [500, BEYOND],
  ])('library %i', (index, word) => {
    const area = openForged(backend, (bytes) => {
      for (let k = 0; k < index; k++) plantEntry(bytes, k, `library:l${k}`);
    });
    const bytes = bytesOf(area);
    register({ area, name: 'mine' });
    expect(bytes.holders(0)).toBe(word);
    expect(bytes.entryName(index)).toBe('library:mine');
    expect(names(area)).toEqual([index < 63 ? 'mine' : 'others']);
  });

  test.each([
    [
      'the directory is full',
      (b: AreaBytes) => {
        b.setHeader('directory_capacity', 1);
        plantEntry(b, 0, 'x');
      },
    ],
    ['there is no directory', (b: AreaBytes) => b.setHeader('directory_capacity', 0)],
    ['the name is taken by another kind', (b: AreaBytes) => plantEntry(b, 0, 'library:mine', KINDS.key.number)],
    ['an entry before it stays unfinished', (b: AreaBytes) => b.setCreator(0, UNKNOWABLE)],
  ])('where %s: bit 63, and the registration counts all the same', (_, edit) => {
    const area = openForged(backend, edit);
    const bytes = bytesOf(area);
    register({ area, name: 'mine' });
    expect([bytes.holders(0), bytes.slot(0, 'refcount')]).toEqual([BEYOND, 1]);
  });

  test('a name that is none is refused before anything is counted', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const before = bytes.snapshot();
    for (const name of ['', 'x'.repeat(73), 'é'.repeat(37), '\ud800', 5, null, {}]) {
      failure('COEXIST_EINVAL', () => register({ area, name: name as string }));
    }
    expect(bytes.changed(before)).toEqual([]);
    register({ area, name: 'x'.repeat(72) });
    expect(bytes.holders(0)).toBe(1n);
  });

  test('an uncounted registration sets it too', () => {
    const area = smallArea(backend);
    register({ area, permanent: true, name: 'first' });
    register({ area, name: 'second' });
    expect([bytesOf(area).holders(0), bytesOf(area).slot(0, 'refcount')]).toEqual([3n, 0]);
  });

  test('cleared only with the slot', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const first = register({ area, name: 'first' });
    const second = register({ area, name: 'second' });
    first.unregister();
    expect(bytes.holders(0)).toBe(3n);
    second.unregister();
    register({ area });
    expect(bytes.holders(0)).toBe(0n);
  });

  test('decides nothing: any word in it changes no count', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const first = register({ area });
    for (const word of [0n, -1n, 0x5555n]) {
      bytes.i64[(bytes.slotAt(0) + 48) / 8] = word;
      register({ area, name: 'counted' }).unregister();
      expect(bytes.slot(0, 'refcount')).toBe(1);
    }
    first.unregister();
    expect(bytes.owner(0)).toBe(0n);
  });
});
