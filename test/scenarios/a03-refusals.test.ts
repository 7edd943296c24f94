// A3, the error table of the system call (bad flags, bad address, bad length, registered twice, wrong signature, not
// registered), each leaving the state unchanged. Restated: the refusals of register, unregister, openArea and createArea,
// each compared byte for byte before and after.
// Not to be had here: EPERM for another signature, and a length per registration. The area has one geometry for all.

import { type Area, attach, createArea, openArea, register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { bytesOf, SLOT, scribble, stateOf } from '../support/slot.js';

const small = { slots: 2, blockBytes: 4096, heapBytes: 0 } as const;

function refusedUnchanged(area: Area, code: string, attempt: () => unknown): void {
  const before = stateOf(area);
  expect(attempt).toThrow(expect.objectContaining({ name: 'CoexistError', code }));
  expect(stateOf(area)).toBe(before);
}

const badOptions: [string, unknown, string][] = [
  ['an empty name', { name: '' }, 'COEXIST_EINVAL'],
  ['a name of 73 bytes', { name: 'x'.repeat(73) }, 'COEXIST_EINVAL'],
  ['a name with half a surrogate pair', { name: '\ud800' }, 'COEXIST_EINVAL'],
  ['a name that is no string', { name: 7 }, 'COEXIST_EINVAL'],
  ['a name of null', { name: null }, 'COEXIST_EINVAL'],
];

describe.each([
  ['without a registration', false],
  ['with one', true],
])('register %s', (_, registered) => {
  test.each(badOptions)('%s', (_, options, code) => {
    const area = createArea(small);
    const held = registered ? register({ area }) : undefined;
    refusedUnchanged(area, code, () => register({ ...(options as object), area }));
    held?.unregister();
  });

  test('an area that is none', () => {
    const area = attach();
    const held = registered ? register() : undefined;
    for (const wrong of [{}, { buffer: new ArrayBuffer(8192) }, { memory: {} }]) {
      const before = stateOf(area);
      expect(() => register({ area: wrong as unknown as Area })).toThrow(/COEXIST_E(INVAL|ABI)/);
      expect(stateOf(area)).toBe(before);
    }
    held?.unregister();
  });
});

test('register({ permanent }) while others count: EBUSY', () => {
  const area = createArea(small);
  const held = register({ area });
  refusedUnchanged(area, 'COEXIST_EBUSY', () => register({ area, permanent: true }));
  held.unregister();
});

test('a full table: EFULL', async () => {
  const area = createArea({ ...small, slots: 1 });
  const held = register({ area });
  const actor = await Actor.start();
  const url = new URL('../../dist/index.js', import.meta.url).href;
  const before = stateOf(area);
  const attempt = actor.run(
    async ({ load }, { url, memory }) => {
      const { openArea, register } = await load(url);
      register({ area: openArea(memory) });
    },
    { url, memory: area.memory ?? area.buffer },
  );
  await expect(attempt).rejects.toMatchObject({ code: 'COEXIST_EFULL' });
  expect(stateOf(area)).toBe(before);
  held.unregister();
  await actor.terminate();
});

test('unregister twice, and a host that refuses the thread', () => {
  const area = createArea(small);
  const keep = register({ area });
  const ended = register({ area });
  ended.unregister();
  refusedUnchanged(area, 'COEXIST_EUNREGISTERED', () => ended.unregister());
  scribble(area, keep.slot, SLOT.cpu_id, -2);
  refusedUnchanged(area, 'COEXIST_EFAILED', () => register({ area }));
  refusedUnchanged(area, 'COEXIST_EUNREGISTERED', () => keep.unregister());
});

test.each([
  ['no shared memory', new ArrayBuffer(65536)],
  ['nothing', undefined],
  ['memory shorter than a header', new SharedArrayBuffer(4095)],
  ['memory without a header', new SharedArrayBuffer(65536)],
])('openArea of %s: EABI', (_, memory) => {
  expect(() => openArea(memory as SharedArrayBuffer)).toThrow(expect.objectContaining({ code: 'COEXIST_EABI' }));
});

test('memory that ends before its slots, or is of another major version: EABI, and not a byte is written', () => {
  const whole = createArea(small);
  for (const [index, value] of [
    [0, 0x51455353],
    [1, 2],
    [3, 1],
    [7, 2 ** 30],
    [8, 16385],
    [6, 4],
    [10, 2 ** 31],
  ] as const) {
    const buffer = new SharedArrayBuffer(whole.buffer.byteLength);
    new Uint8Array(buffer).set(bytesOf(whole));
    new Uint32Array(buffer)[index] = value;
    const before = Buffer.from(new Uint8Array(buffer)).toString('base64');
    expect(() => openArea(buffer), `header word ${index}`).toThrow(expect.objectContaining({ code: 'COEXIST_EABI' }));
    expect(Buffer.from(new Uint8Array(buffer)).toString('base64')).toBe(before);
  }
});

test.each([
  ['no slots', { slots: 0 }],
  ['too many slots', { slots: 16385 }],
  ['half a slot', { slots: 1.5 }],
  ['a block that is no power of two', { blockBytes: 5000 }],
  ['a block that is too small', { blockBytes: 2048 }],
  ['more than 4 GiB', { slots: 16384, blockBytes: 2 ** 26 }],
])('createArea with %s: EINVAL', (_, options) => {
  expect(() => createArea(options)).toThrow(expect.objectContaining({ code: 'COEXIST_EINVAL' }));
});
