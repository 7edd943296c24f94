// Modules as words (docs/ABI.md, clause 72): the words of a module's object by name, its rows as in `row2.count`, its words of Once as in
// `once3`, its build as text; and what is done to it, through a copy of the library or by hand.

import type { Area } from 'coexist';
import {
  type Field,
  HOLDER,
  HOLDER_BYTES,
  HOLDERS_OFFSET,
  MODULE,
  MODULE_ONCES,
  MODULE_ONCES_BYTES,
  MODULE_PATH_BYTES,
  ONCE,
  ONCE_BYTES,
} from 'coexist/abi';
import type { WaitOptions } from 'coexist/sync';
import type * as core from '../../src/core.js';
import { bytesOf } from './area-bytes.js';
import { type Backend, on } from './backends.js';
import { copyUrl } from './copies.js';
import { entryOf, objectWords, type Words } from './object-words.js';

export const lib = (await import(copyUrl('a', 'core.js'))) as typeof core;
export type ModuleRecord = ReturnType<typeof core.moduleRecords.recordOf>;

/** Fingerprints of three builds. */
export const [A, B, C] = ['a1', 'b2', 'c3'].map((digits) => digits.repeat(32)) as [string, string, string];

export const moduleArea = (backend: Backend, heapBytes = 2 ** 14): Area =>
  on(backend, () => lib.createArea({ slots: 4, blockBytes: 4096, heapBytes }));

/** The phase of a row, or a state, of a generation. */
export const loading = (generation: number): number => (generation << 1) >>> 0;
export const loaded = (generation: number): number => loading(generation) + 1;
export const entered = loaded;
export const none = loading;

export const has = (k: number, identity: bigint, phase: number, count = 1): Words => ({
  [`row${k}.identity`]: identity,
  [`row${k}.count`]: count,
  [`row${k}.phase`]: phase,
});

/** Enters a build, and sleeps as a thread that may block does. */
export function enter(record: ModuleRecord, fingerprint: string, path = '/m.js', async = false, options?: WaitOptions) {
  const waiting = lib.moduleRecords.enter(record, fingerprint, path, async, options);
  for (let timedOut = false; ; ) {
    const step = waiting.next(timedOut);
    if (step.done) return step.value;
    const { index, value, ms } = step.value;
    timedOut = Atomics.wait(record.core.views.i32, index, value, ms) === 'timed-out';
  }
}

export function moduleWords(area: Area, key: string) {
  const bytes = bytesOf(area);
  const entry = entryOf(bytes, 'module', key);
  const rows = bytes.header('slot_capacity');
  const { fingerprint: _, ...scalars } = MODULE;
  const fields = new Map<string, Field>(Object.entries(scalars));
  for (let k = 0; k < rows; k++) {
    for (const [name, field] of Object.entries(HOLDER)) {
      fields.set(`row${k}.${name}`, { ...field, offset: HOLDERS_OFFSET + k * HOLDER_BYTES + field.offset });
    }
  }
  const onces = HOLDERS_OFFSET + rows * HOLDER_BYTES;
  for (let k = 0; k < MODULE_ONCES; k++) fields.set(`once${k}`, { ...ONCE.state, offset: onces + k * ONCE_BYTES });
  const pathAt = onces + MODULE_ONCES_BYTES;
  const { offset: printAt, size: printBytes } = MODULE.fingerprint;
  const words = objectWords(area, entry.at, entry.size, fields, [
    [printAt, printAt + printBytes],
    [pathAt, pathAt + MODULE_PATH_BYTES],
  ]);
  const slice = (from: number, length: number): Buffer =>
    Buffer.from(bytes.u8.slice(entry.at + from, entry.at + from + length));
  const build = () => ({
    fingerprint: slice(printAt, printBytes).toString('hex'),
    path: slice(pathAt, words.word('path_length')).toString(),
  });
  return {
    ...words,
    entry,
    rows,
    build,
    onceAt: (k: number): number => entry.at + onces + k * ONCE_BYTES,
    /** A build as another thread has left it. */
    plantBuild(fingerprint: string, path: string): void {
      const content = Buffer.from(path);
      bytes.u8.set(Buffer.from(fingerprint, 'hex'), entry.at + printAt);
      bytes.u8.set(content, entry.at + pathAt);
      words.plant({ path_length: content.length });
    },
    /** All words but the inner lock's token, which counts every use, and the build. */
    state(): Record<string, unknown> {
      const { token: _token, ...rest } = words.words();
      return { ...rest, build: build() };
    },
  };
}

/** A module whose object is in whatever state a test wants: generation 5 of build A, entered, unless the words say otherwise. */
export function forged(backend: Backend, words: Words = {}, name = 'm') {
  const area = moduleArea(backend);
  const record = on(backend, () => lib.moduleRecords.recordOf(name, area));
  const object = moduleWords(area, `module:${name}`);
  object.plantBuild(A, '/of/a.js');
  object.plant({ state: entered(5), holders_used: 4, ...words });
  return { area, record, words: object };
}
