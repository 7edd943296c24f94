// Puts the stepping assembly of the library's wasm in the place of the ordinary one: same source, but every atomic instruction asks
// the scheduler first (scripts/stepping-wat.js). Ordinary loads and stores there are owner-only by contract and not stepped.

import { modules } from 'coexist:stepping-wasm';
import type { Assembler } from '../core.js';
import { notifyAt, operands, type Realm, waitAt } from './atomics.js';
import { type Control, F_WASM_OPERATIONS } from './control.js';
import { COMPARE_EXCHANGE, LOAD } from './operations.js';
import { READ, type Scheduler, WRITTEN } from './scheduler.js';

const WAIT_RESULTS = ['ok', 'not-equal', 'timed-out'];

interface Steps {
  readonly buffer: SharedArrayBuffer;
  readonly realm: Realm;
  readonly atomics: Atomics;
}

function importsFor({ buffer, realm, atomics }: Steps): Record<string, unknown> {
  const stepped = (): boolean => realm.stepping && buffer === realm.buffer;
  const i32 = new Int32Array(buffer);
  const i64 = new BigInt64Array(buffer);
  const done = (
    operation: number,
    address: number,
    bytes: number,
    read: number | bigint,
    a: number | bigint,
    b: number | bigint,
  ): void => {
    if (!stepped()) return;
    realm.trace?.(operation, address, operands(operation, read, a, b));
    const wrote = operation !== LOAD && (operation !== COMPARE_EXCHANGE || read === a);
    (realm.scheduler as Scheduler).done(address, bytes, wrote ? WRITTEN : READ);
  };
  const wait = <T extends number | bigint>(
    view: Int32Array | BigInt64Array,
    address: number,
    expected: T,
    nanoseconds: bigint,
  ): number => {
    const index = address / view.BYTES_PER_ELEMENT;
    const ms = nanoseconds < 0n ? Number.POSITIVE_INFINITY : Number(nanoseconds) / 1e6;
    const load = (): unknown => atomics.load(view as Int32Array, index);
    const result = stepped()
      ? waitAt(realm, realm.scheduler as Scheduler, address, view.BYTES_PER_ELEMENT, ms, expected, () =>
          load() === expected ? undefined : String(load()),
        )
      : atomics.wait(view as never, index, expected as never, ms);
    return WAIT_RESULTS.indexOf(result);
  };
  return {
    point: (operation: number, address: number, bytes: number) => {
      if (!stepped()) return;
      (realm.scheduler as Scheduler).point(operation, address, bytes);
      (realm.control as Control).f[F_WASM_OPERATIONS]!++;
    },
    done32: done,
    done64: done,
    wait32: (address: number, expected: number, ns: bigint) => wait(i32, address, expected, ns),
    wait64: (address: number, expected: bigint, ns: bigint) => wait(i64, address, expected, ns),
    notify: (address: number, count: number) =>
      stepped() ? notifyAt(realm, address, 4, count >>> 0) : atomics.notify(i32, address >>> 2, count >>> 0),
  };
}

/** `decode` turns base64 into bytes. */
export function steppingAssembler(realm: Realm, atomics: Atomics, decode: (text: string) => Uint8Array): Assembler {
  return {
    instantiate(name, _bytes, memory) {
      const base64 = modules[name];
      if (base64 === undefined) throw new Error(`no stepping assembly of ${name}`);
      const imports = { area: { memory }, step: importsFor({ buffer: memory.buffer, realm, atomics }) };
      return new WebAssembly.Instance(new WebAssembly.Module(decode(base64)), imports).exports;
    },
  };
}
