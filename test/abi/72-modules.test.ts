// Clause 72: modules of the process: entering a build, what is refused, what counts, and what becomes of the words of process-wide
// initialisers.

import { describe, expect, test, vi } from 'vitest';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { D, forgottenThread, W } from '../support/lock-memory.js';
import {
  A,
  B,
  C,
  enter,
  entered,
  forged,
  has,
  lib,
  loaded,
  loading,
  moduleArea,
  moduleWords,
  none,
} from '../support/module-words.js';
import type { Words } from '../support/object-words.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const { recordOf, markLoaded, leaveModule, onceOf } = lib.moduleRecords;
const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();
const DONE = 0x80000001n << 32n;

describe.each(BACKENDS)('%s', (backend: Backend) => {
  test('the object, and the first build', () => {
    const area = moduleArea(backend);
    const record = on(backend, () => recordOf('spice', area));
    const words = moduleWords(area, 'module:spice');
    expect([words.entry.version, words.size]).toEqual([1, 64 + 16 * 4 + 1152]);
    expect(words.words()).toEqual({ holders: 4 });
    expect(record.index).toBe(words.entry.number);

    expect(enter(record, A, '/modules/spice.js')).toEqual({ entered: true, generation: 1 });
    const own = { 'row0.identity': X, 'row0.count': 1, 'row0.phase': loading(1) };
    const build = { fingerprint: A, path: '/modules/spice.js' };
    expect(words.state()).toEqual({ holders: 4, holders_used: 1, state: 3, path_length: 17, ...own, build });
    markLoaded(record);
    expect(words.state()).toMatchObject({ state: 3, 'row0.count': 1, 'row0.phase': loaded(1) });
    leaveModule(record);
    expect([words.word('state'), words.word('row0.count'), words.build()]).toEqual([3, 0, build]);
  });

  test('a build is written while no build is entered, and before the row', () => {
    const { record, words } = forged(backend, { once3: DONE });
    const seen: unknown[] = [];
    const original = Atomics.store;
    const spy = vi.spyOn(Atomics, 'store').mockImplementation(((view: Int32Array, index: number, value: number) => {
      const before = words.state();
      const result = original.call(Atomics, view as never, index, value as never);
      const after = words.state();
      const changed = (key: string): boolean => String(before[key]) !== String(after[key]);
      if (['state', 'row0.count'].some(changed)) {
        seen.push([after['state'], after['build'], after['once3'], after['row0.count']]);
      }
      return result;
    }) as never);
    enter(record, B, '/b.js');
    spy.mockRestore();
    const [old, next] = [
      { fingerprint: A, path: '/of/a.js' },
      { fingerprint: B, path: '/b.js' },
    ];
    expect(seen).toEqual([
      [none(5), old, DONE | (-1n << 63n), undefined],
      [entered(6), next, undefined, undefined],
      [entered(6), next, undefined, 1],
    ]);
  });

  test.each([
    ['has it loaded', loaded(5)],
    ['is loading it', loading(5)],
  ])('the same build, which another thread %s: nothing but the own row changes', (_, phase) => {
    const { record, words } = forged(backend, { once3: DONE, once4: Y, ...has(2, Y, phase) });
    const before = words.state();
    expect(enter(record, A, '/elsewhere.js')).toEqual({ entered: true, generation: 5 });
    const own = { 'row0.identity': X, 'row0.count': 1, 'row0.phase': loading(5) };
    expect(words.state()).toEqual({ ...before, ...own });
  });

  test.each<[string, Words, bigint[]]>([
    ['another thread has loaded', has(2, Y, loaded(5)), [Y]],
    ['another thread is loading', has(2, Y, loading(5)), [Y]],
    ['this thread has loaded', has(1, X, loaded(5)), [X]],
    ['several threads have', { ...has(0, Y, loaded(5)), ...has(1, dead, loaded(5)), ...has(3, X, loaded(5)) }, [Y, X]],
  ])('another build, which %s: refused, and nothing changes', (_, rows, identities) => {
    const { record, words } = forged(backend, { once3: DONE, ...rows });
    const before = words.state();
    for (const async of [false, true]) {
      const outcome = enter(record, B, '/b.js', async);
      expect(outcome).toEqual({ entered: false, other: { fingerprint: A, path: '/of/a.js', identities } });
      expect(words.state()).toEqual(before);
    }
  });

  test.each<[string, Words]>([
    ['a dead thread', has(2, dead, loaded(5))],
    ['a thread that never was', has(2, NO_SUCH_THREAD, loaded(5))],
    ['an earlier thread of the same number', has(2, EARLIER_NAMESAKE, loading(5))],
    ['a thread that prepares its row', has(2, -Y, loaded(5))],
    ['nobody', has(2, 0n, loaded(5))],
    ['another generation', has(2, Y, loaded(4))],
    ['a count of 0', has(2, Y, loaded(5), 0)],
    ['this thread, another generation', has(2, X, loaded(4))],
  ])('a row of %s does not count: another build is entered', (_, row) => {
    const { record, words } = forged(backend, { once0: DONE, once15: dead, ...row });
    expect(enter(record, B, '/b.js')).toEqual({ entered: true, generation: 6 });
    const state = words.state();
    expect(state).toMatchObject({ state: entered(6), build: { fingerprint: B, path: '/b.js' } });
    expect(Object.keys(state).filter((name) => name.startsWith('once'))).toEqual([]);
  });

  test('the build of before is another one when it comes again', () => {
    const { record, words } = forged(backend, { once0: DONE });
    enter(record, B);
    leaveModule(record);
    words.plant({ once0: DONE });
    expect(enter(record, A, '/a.js')).toEqual({ entered: true, generation: 7 });
    expect(words.state()).toMatchObject({ build: { fingerprint: A, path: '/a.js' }, 'row0.phase': loading(7) });
    expect(words.long('once0')).toBe(0n);
  });

  test('a state without bit 0 is no build, whatever is there: it was left by one that died, with its lock', () => {
    const { record, words } = forged(backend, { state: none(5), owner: dead, once1: DONE, ...has(2, Y, loaded(5)) });
    words.plantBuild(`${A.slice(0, 32)}${B.slice(32)}`, '/half');
    const { result, sleeps } = withSleeps(() => enter(record, A, '/a.js'));
    expect(result).toEqual({ entered: true, generation: 6 });
    expect(sleeps.length).toBeGreaterThan(0);
    expect(words.state()).toMatchObject({ state: entered(6), build: { fingerprint: A, path: '/a.js' } });
    expect([words.long('owner'), words.long('once1')]).toEqual([0n, 0n]);
  });

  test.each([
    ['this thread, which was cut inside', X],
    ['this thread, which took it over', D | X | W],
  ])('the inner lock held by %s', (_, owner) => {
    const { record, words } = forged(backend, { owner, ...has(2, Y, loaded(5)) });
    expect(enter(record, A)).toEqual({ entered: true, generation: 5 });
    expect(words.long('owner')).toBe(0n);
  });

  test('the inner lock of a thread that lives is waited for', () => {
    const { record, words } = forged(backend, { owner: Y });
    const { result, sleeps } = withSleeps(
      () => enter(record, B),
      (n) => n === 2 && words.plant({ owner: 0n }),
    );
    expect([result, sleeps.length]).toEqual([{ entered: true, generation: 6 }, 3]);
  });

  test('a wait for the inner lock ends with its time or its signal, and nothing changes', () => {
    const { record, words } = forged(backend, { owner: Y });
    const before = words.state();
    const { error, sleeps } = withSleeps(() => enter(record, B, '/b.js', false, { timeout: 120 }));
    expect([(error as { code?: string }).code, sleeps.length]).toEqual(['COEXIST_ETIMEDOUT', 3]);
    const signal = AbortSignal.abort('enough');
    failure('COEXIST_EABORTED', () => enter(record, B, '/b.js', true, { signal }));
    expect(words.state()).toEqual(before);
  });

  test('loaded and left are said without the lock, of the own row only', () => {
    const { record, words } = forged(backend, { owner: Y, ...has(1, X, loading(5)), ...has(2, Y, loading(5)) });
    const before = words.state();
    markLoaded(record);
    expect(words.state()).toEqual({ ...before, 'row1.phase': loaded(5) });
    leaveModule(record);
    expect(words.word('row1.count')).toBe(0);
    expect(words.word('row2.count')).toBe(1);
  });

  test('a row that was begun is gone on with; a thread without a row says nothing', () => {
    const { record, words } = forged(backend);
    const before = words.state();
    markLoaded(record);
    leaveModule(record);
    expect(words.state()).toEqual(before);
    words.plant(has(3, -X, loaded(5), 7));
    expect(enter(record, A).entered).toBe(true);
    expect(words.state()).toMatchObject({ 'row3.identity': X, 'row3.count': 1, 'row3.phase': loading(5) });
  });

  test('no row is free: COEXIST_EFULL, and nothing changes, neither for the build nor for another', () => {
    const full = Object.assign({}, ...[0, 1, 2, 3].map((k) => has(k, Y + BigInt(k), loaded(5), 0))) as Words;
    const { record, words } = forged(backend, { once3: DONE, ...full });
    const before = words.state();
    for (const build of [A, B]) {
      failure('COEXIST_EFULL', () => enter(record, build));
      expect(words.state()).toEqual(before);
    }
    words.plant({ 'row1.identity': dead });
    expect(enter(record, B)).toEqual({ entered: true, generation: 6 });
    expect(words.long('row1.identity')).toBe(X);
  });

  test('the generation has 30 bits', () => {
    const { record, words } = forged(backend, { state: entered(0x3fffffff), ...has(0, Y, loaded(0x3fffffff)) });
    expect(enter(record, B).entered).toBe(false);
    leaveModule(record);
    words.plant({ 'row0.count': 0 });
    expect(enter(record, B)).toEqual({ entered: true, generation: 0 });
    expect(words.word('state')).toBe(entered(0));
  });

  test.each([
    ['of 1024 bytes', `/${'x'.repeat(1023)}`, `/${'x'.repeat(1023)}`],
    ['of 1025 bytes', `/${'y'.repeat(1024)}`, 'y'.repeat(1024)],
    ['cut inside a character', `${'é'.repeat(600)}/m.js`, `${'é'.repeat(509)}/m.js`],
    ['cut inside a long one', `${'𝄞'.repeat(300)}/m.js`, `${'𝄞'.repeat(254)}/m.js`],
    ['empty', '', ''],
  ])('a path %s: its last bytes, whole characters', (_, path, kept) => {
    const { record, words } = forged(backend);
    enter(record, B, path);
    expect(words.build()).toEqual({ fingerprint: B, path: kept });
    expect(words.word('path_length')).toBe(Buffer.byteLength(kept));
    enter(record, B, '/again');
    expect(enter(record, C, '/c')).toMatchObject({ other: { fingerprint: B, path: kept, identities: [X] } });
  });

  test('process-wide initialisers: each word runs one, until another build is entered', () => {
    const { record, words } = forged(backend);
    enter(record, A);
    const ran: string[] = [];
    for (const k of [0, 7, 15, 7]) onceOf(record, k).call(() => void ran.push(`${k}`));
    expect(ran).toEqual(['0', '7', '15']);
    for (const k of [0, 7, 15]) expect(words.long(`once${k}`)).toBe(DONE | (-1n << 63n));
    leaveModule(record);
    enter(record, A);
    onceOf(record, 7).call(() => void ran.push('again'));
    expect(ran.length).toBe(3);
    leaveModule(record);
    enter(record, B);
    for (let k = 0; k < 16; k++) onceOf(record, k).call(() => void ran.push(`B${k}`));
    expect(ran.slice(3)).toEqual(Array.from({ length: 16 }, (_, k) => `B${k}`));
    expect(words.state()['build']).toEqual({ fingerprint: B, path: '/m.js' });
  });

  test('an initialiser that threw is run again, and says whose it is', () => {
    const { record, words } = forged(backend);
    enter(record, A);
    expect(() =>
      onceOf(record, 2).call(() => {
        throw new RangeError('planned');
      }),
    ).toThrow('planned');
    const { message } = failure('COEXIST_EPOISONED', () => onceOf(record, 2).call(() => {}));
    expect(message).toContain('initialiser 2 of module "m"');
    expect(onceOf(record, 2).callForce(() => {})).toBe(true);
    words.plant({ once2: dead });
    const { result } = withSleeps(() => onceOf(record, 2).call(({ ownerDied }) => expect(ownerDied).toBe(true)));
    expect(result).toBe(true);
  });

  test('a build beside another has an object of its own, with the longest name, too', () => {
    const area = moduleArea(backend);
    const name = 'n'.repeat(56);
    const [one, beside] = on(backend, () => [recordOf(name, area), recordOf(name, area, { build: B })]);
    enter(one, A);
    expect(enter(one, B).entered).toBe(false);
    expect(enter(beside, B, '/b.js')).toEqual({ entered: true, generation: 1 });
    const words = moduleWords(area, `module:${name}#${B.slice(0, 16)}`);
    expect(words.build()).toEqual({ fingerprint: B, path: '/b.js' });
    expect([beside.name, beside.build, one.build]).toEqual([name, B.slice(0, 16), undefined]);
    // A module of a similar name is another module.
    const similar = recordOf(`m@${B.slice(0, 16)}`, area);
    expect(similar.index).not.toBe(recordOf('m', area, { build: B }).index);
  });

  test('an object of other holders, or of another kind, is refused by name', () => {
    const { area, words } = forged(backend);
    words.plant({ holders: 5 });
    expect(failure('COEXIST_EKIND', () => recordOf('m', area)).message).toContain('holders 5, expected 4');
    const fresh = moduleArea(backend);
    on(backend, () => new lib.Mutex('module:m', { area: fresh }));
    expect(failure('COEXIST_EKIND', () => recordOf('m', fresh)).message).toContain('kind');
  });
});
