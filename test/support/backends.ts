// The transitions run in wasm or in their JavaScript twin. Tests of one clause run on both: the backend is chosen when a copy
// first sees a memory, from COEXIST_NO_WASM.

import { type Area, type AreaOptions, createArea, openArea } from 'coexist';
import type { AreaValue } from 'coexist/abi';
import type * as core from '../../src/core.js';
import { Actor } from './actor.js';
import { type AreaBytes, bytesOf } from './area-bytes.js';
import { type CopyName, copyUrl } from './copies.js';

export type Backend = 'wasm' | 'twin';
export const BACKENDS: readonly Backend[] = ['wasm', 'twin'];

const setting = (backend: Backend): string => (backend === 'twin' ? '1' : '0');

/** Runs a synchronous step in which memories first seen get this backend. */
export function on<R>(backend: Backend, step: () => R): R {
  const before = process.env['COEXIST_NO_WASM'];
  process.env['COEXIST_NO_WASM'] = setting(backend);
  try {
    return step();
  } finally {
    if (before === undefined) delete process.env['COEXIST_NO_WASM'];
    else process.env['COEXIST_NO_WASM'] = before;
  }
}

/** What is passed to another thread or copy: the wasm memory where there is one. */
export const memoryOf = (area: Area): AreaValue => area.memory ?? area.buffer;

/** A private area small enough to compare byte by byte. */
export function smallArea(backend: Backend, options: AreaOptions = {}): Area {
  return on(backend, () => createArea({ slots: 4, blockBytes: 4096, heapBytes: 256, ...options }));
}

/** The same memory in one of the installed copies, in this thread. */
export async function openIn(copy: CopyName, backend: Backend, area: Area): Promise<{ lib: typeof core; area: Area }> {
  const lib = (await import(copyUrl(copy, 'core.js'))) as typeof core;
  return { lib, area: on(backend, () => lib.openArea(memoryOf(area))) };
}

export function startActor(backend: Backend): Promise<Actor> {
  return Actor.start({ env: { ...process.env, COEXIST_NO_WASM: setting(backend) } });
}

export interface Registered {
  readonly slot: number;
  readonly generation: number;
  readonly permanent: boolean;
}

/** Registers the actor's thread in an area; the registration stays in its state, last. */
export function registerIn(
  actor: Actor,
  area: Area,
  options: { name?: string; permanent?: boolean } = {},
  copy: CopyName = 'a',
): Promise<Registered> {
  return actor.run(
    async ({ load, state }, { url, memory, options }) => {
      const lib = await load(url);
      const registration = lib.register({ ...options, area: lib.openArea(memory) });
      state.registrations.push(registration);
      const { slot, generation, permanent } = registration;
      return { slot, generation, permanent };
    },
    { url: copyUrl(copy, 'core.js'), memory: memoryOf(area), options },
  );
}

/** Ends the actor's latest registration. */
export function unregisterIn(actor: Actor): Promise<void> {
  return actor.run(({ state }) => {
    state.registrations.pop()?.unregister();
  });
}

let forgeries = 0;

/**
 * A memory that no copy has seen yet, with a header as another creator might write it. Small; wasm memory where the backend
 * is wasm.
 */
export function forge(
  backend: Backend,
  edit: (bytes: AreaBytes) => void = () => {},
  options: AreaOptions = {},
): AreaValue {
  const model = smallArea(backend, options);
  const pages = model.buffer.byteLength / 65536;
  const value: AreaValue =
    backend === 'wasm'
      ? new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
      : new SharedArrayBuffer(model.buffer.byteLength);
  const buffer = 'buffer' in value ? value.buffer : value;
  const bytes = bytesOf({ buffer });
  bytes.u8.set(new Uint8Array(model.buffer));
  bytes.setHeader('area_id', ++forgeries);
  edit(bytes);
  return value;
}

/** The forged memory opened by the library under test. */
export function openForged(backend: Backend, edit: (bytes: AreaBytes) => void, options: AreaOptions = {}): Area {
  return on(backend, () => openArea(forge(backend, edit, options)));
}
