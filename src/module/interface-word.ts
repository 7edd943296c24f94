// The word that says of an interface which module implements it in the process (docs/ABI.md, clause 73). Functions do not cross
// threads: it tells those that come later what they can load.

import { CoexistError } from '../abi/errors.js';
import { INTERFACE_BYTES, INTERFACE_GENERATION_SHIFT, INTERFACE_MODULE_MASK, INTERFACE_PREFIX } from '../abi/module.js';
import type { AreaCore } from '../area/core.js';
import { type AreaLike, coreFor } from '../area/current.js';
import { type Entry, entriesOf, lookup } from '../area/directory.js';

/** What the word says. */
export interface InterfaceReading {
  readonly name: string;
  readonly version: number;
  readonly generation: number;
  /** Number of the directory entry of the module; undefined: none has begun to implement it yet. */
  readonly module: number | undefined;
}

/** The version that the process knows of an interface; makes nothing. */
export function interfaceVersionAt(area: AreaLike | undefined, name: string): number | undefined {
  const key = INTERFACE_PREFIX + name;
  return entriesOf(coreFor(area), 'interface').find((entry) => entry.name === key)?.version;
}

/**
 * A module, by the number of its directory entry, begins to implement an interface in this thread. The generation that the interface
 * has then in the process.
 * @throws COEXIST_EKIND where the process knows it in another version; COEXIST_ENOSPC, COEXIST_ETIMEDOUT
 */
export function noteInterface(area: AreaLike | undefined, name: string, version: number, module: number): number {
  const core = coreFor(area);
  const number = module + 1;
  if (number > INTERFACE_MODULE_MASK) throw beyond(name, module);
  const request = {
    name: INTERFACE_PREFIX + name,
    kind: 'interface',
    version,
    size: INTERFACE_BYTES,
    flags: 0,
  } as const;
  const index = lookup(core, request).offset >>> 2;
  const { u32 } = core.views;
  for (;;) {
    const word = Atomics.load(u32, index);
    const generation = word >>> INTERFACE_GENERATION_SHIFT;
    if ((word & INTERFACE_MODULE_MASK) === number) return generation;
    const next = (((generation + 1) << INTERFACE_GENERATION_SHIFT) | number) >>> 0;
    if (Atomics.compareExchange(u32, index, word, next) === word) return next >>> INTERFACE_GENERATION_SHIFT;
  }
}

/** All interfaces that the process knows, in the order of their entries. */
export const readInterfaces = (core: AreaCore): InterfaceReading[] =>
  entriesOf(core, 'interface').map((entry) => readInterface(core, entry));

function readInterface(core: AreaCore, { name, version, offset }: Entry): InterfaceReading {
  const word = Atomics.load(core.views.u32, offset >>> 2);
  const number = word & INTERFACE_MODULE_MASK;
  return {
    name: name.slice(INTERFACE_PREFIX.length),
    version,
    generation: word >>> INTERFACE_GENERATION_SHIFT,
    module: number === 0 ? undefined : number - 1,
  };
}

function beyond(name: string, module: number): CoexistError {
  const found = `directory entry ${module}`;
  return new CoexistError('COEXIST_ENOSPC', `the module that implements ${JSON.stringify(name)} is ${found}`, {
    found: module,
    expected: `an entry below ${INTERFACE_MODULE_MASK}`,
    remedy: 'Use fewer named objects.',
  });
}
