// Clause 69: types of instances: their entries, memory instances and hosted ones.

import { HOSTED_PREFIX, TYPE_PREFIX } from 'coexist/abi';
import { singleton } from 'coexist/singleton';
import { describe, expect, test } from 'vitest';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import { channelWords } from '../support/call-memory.js';
import { failure } from '../support/failures.js';
import { forgottenThread } from '../support/lock-memory.js';
import { entryOf, namesOf } from '../support/object-words.js';
import { held, live, singletonWords, stateWord } from '../support/singleton-memory.js';
import { BYTES, declared, forged, KEY, singletonArea } from '../support/singleton-parties.js';
import { UNKNOWABLE } from '../support/threads.js';

const Y = UNKNOWABLE;
const dead = await forgottenThread();

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const memoryOf = (area: ReturnType<typeof singletonArea>, options: object = {}, key = KEY) =>
    on(backend, () => singleton(key, { bytes: BYTES, create() {}, area, ...options }));

  test('a type is an entry: its version, its bytes; named after the key unless it has a name of its own', () => {
    const area = singletonArea(backend);
    memoryOf(area);
    memoryOf(area, { type: 'Other', version: 7, bytes: 128 });
    on(backend, () => singleton('far', { create: () => ({}), methods: {}, area, version: 0 }));
    const { words } = { words: singletonWords(area, KEY) };
    expect(namesOf(words.bytes, 'type')).toEqual([
      TYPE_PREFIX + KEY,
      `${TYPE_PREFIX}${KEY}\0Other`,
      `${TYPE_PREFIX}far`,
    ]);
    const entries = namesOf(words.bytes, 'type').map((name) => entryOf(words.bytes, 'type', name));
    expect(entries.map(({ version, size }) => [version, size])).toEqual([
      [1, BYTES],
      [7, 128],
      [0, 0],
    ]);
    expect(words.state()).toEqual({ holders: words.rows });
  });

  test('the type of the instance is noted', () => {
    const area = singletonArea(backend);
    const other = memoryOf(area, { type: 'Other', version: 3 });
    const words = singletonWords(area, KEY);
    other.acquire();
    expect(words.type()).toMatchObject({ name: `${TYPE_PREFIX}${KEY}\0Other`, version: 3, size: BYTES });
  });

  test('declared otherwise: COEXIST_EKIND, nothing changed', () => {
    const area = singletonArea(backend);
    memoryOf(area);
    const words = singletonWords(area, KEY);
    const before = words.bytes.snapshot();
    failure('COEXIST_EKIND', () => memoryOf(area, { version: 2 }));
    failure('COEXIST_EKIND', () => memoryOf(area, { bytes: BYTES + 8 }));
    failure('COEXIST_EKIND', () => on(backend, () => singleton(KEY, { create: () => ({}), methods: {}, area })));
    expect(words.bytes.changed(before)).toEqual([]);
  });

  test('two types under one key: one lives at a time, the other is COEXIST_EEXIST', () => {
    const area = singletonArea(backend);
    const [one, other] = [memoryOf(area), memoryOf(area, { type: 'Other' })];
    const words = singletonWords(area, KEY);
    const reference = one.acquire();
    const before = words.state();
    const { message } = failure('COEXIST_EEXIST', () => other.acquire());
    expect(message).toContain(KEY);
    failure('COEXIST_EEXIST', () => other.createNew());
    expect([other.get(), other.allowed().allowed, words.state()]).toEqual([undefined, false, before]);
    reference.release();
    expect(other.allowed()).toMatchObject({ allowed: true });
    const next = other.acquire();
    expect([next.created, next.generation, words.type().name]).toEqual([true, 1, `${TYPE_PREFIX}${KEY}\0Other`]);
    failure('COEXIST_EEXIST', () => one.acquire());
    next.release();
  });

  test('keys of 1 to 73 bytes, with the name of a type 74 at most, without a byte 0', () => {
    const area = singletonArea(backend);
    for (const key of ['', 'k'.repeat(74), 'é'.repeat(37), 'a\0b']) {
      failure('COEXIST_EINVAL', () => memoryOf(area, {}, key));
    }
    for (const type of ['', 'a\0b', 'k'.repeat(75 - KEY.length)])
      failure('COEXIST_EINVAL', () => memoryOf(area, { type }));
    for (const version of [-1, 65536, 1.5]) failure('COEXIST_EINVAL', () => memoryOf(area, { version }));
    memoryOf(area, { type: 'k'.repeat(74 - KEY.length), version: 65535 });
    memoryOf(area, {}, 'k'.repeat(73));
    expect(namesOf(singletonWords(area, KEY).bytes, 'singleton')).toEqual([KEY, 'k'.repeat(73)]);
  });

  describe('memory', () => {
    test('the range of the type’s entry, zeroed by who constructs, after CONSTRUCTING', () => {
      const area = singletonArea(backend);
      let phase = '';
      let found: number[] = [];
      const one = memoryOf(area, {
        create: ({ u8 }: { u8: Uint8Array }) => {
          phase = singletonWords(area, KEY).phase();
          found = [...u8];
          u8.fill(7);
        },
      });
      const entry = entryOf(singletonWords(area, KEY).bytes, 'type', TYPE_PREFIX + KEY);
      const { u8 } = singletonWords(area, KEY).bytes;
      u8.fill(9, entry.at, entry.at + BYTES);
      const { memory } = one.acquire();
      expect([phase, found]).toEqual(['CONSTRUCTING', new Array(BYTES).fill(0)]);
      expect([memory.buffer === area.buffer, memory.offset, memory.length]).toEqual([true, entry.at, BYTES]);
      expect([...u8.slice(entry.at, entry.at + BYTES)]).toEqual(new Array(BYTES).fill(7));
    });

    test('kind 1 outlives its creator, kind 3 does not: get and the reference say so', () => {
      const rows = held(2, Y, 1, live(5));
      const kept = forged(backend, 'memory', { state: live(5), actor: dead, ...rows, holders_used: 3 });
      expect(kept.one.get()?.generation).toBe(5);
      const gone = forged(backend, 'memory of its creator', { state: live(5), actor: dead, ...rows, holders_used: 3 });
      gone.words.sleepers('state', 1);
      expect(gone.one.get()).toBeUndefined();
      expect([gone.words.phase(), gone.words.generation(), gone.words.asleep('state'), gone.diary]).toEqual([
        'EMPTY',
        6,
        0,
        [],
      ]);
    });
  });

  describe('hosted', () => {
    test('its creator serves hosted: + key before LIVE, under the epoch that is noted', () => {
      const parties = declared(backend, 'hosted');
      const reference = parties.one.acquire();
      const words = singletonWords(parties.area, KEY);
      const channel = channelWords(parties.area, HOSTED_PREFIX + KEY);
      expect([channel.word('epoch'), channel.names()]).toEqual([words.word('epoch'), ['made']]);
      reference.release();
      expect([words.phase(), channel.long('server')]).toEqual(['EMPTY', 0n]);
    });

    test('who uses another epoch than that is told that it is gone', () => {
      const { one, words, area } = forged(backend, 'hosted');
      const channel = channelWords(area, HOSTED_PREFIX + KEY);
      // Y made it, and has opened the channel; then another life of the channel began.
      channel.plant({ server: Y, epoch: 8 });
      words.plant({ state: live(5), actor: Y, epoch: 6, ...held(2, Y, 1, live(5)), holders_used: 3 });
      const reference = one.acquire();
      if (!('callSync' in reference)) throw new Error('it is not hosted');
      failure('COEXIST_EGONE', () => reference.callSync('made'));
    });

    test('its creator has died: EMPTY with the next generation, and the reference is gone', () => {
      const { one, words } = forged(backend, 'hosted', {
        state: live(5),
        actor: Y,
        ...held(2, Y, 1, live(5)),
        holders_used: 3,
      });
      const reference = one.acquire();
      words.plant({ actor: dead });
      expect(one.get()).toBeUndefined();
      expect([words.phase(), words.generation()]).toEqual(['EMPTY', 6]);
      if (!('callSync' in reference)) throw new Error('it is not hosted');
      failure('COEXIST_EGONE', () => reference.callSync('made'));
      reference.release();
      expect(words.state()['state']).toBe(stateWord('EMPTY', 6));
    });
  });
});
