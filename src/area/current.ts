// The area that this copy has joined in this thread, and the way to it for whatever takes an `area` option.

import { invalid } from '../abi/errors.js';
import { AREA_KEY } from '../abi/header.js';
import type { AreaValue } from '../abi/views.js';
import { host } from '../host/host.js';
import type { Found } from './conflict.js';
import { type AreaCore, coreIn, coreOf } from './core.js';
import { findOrCreate } from './publish.js';
import { type AttachOptions, rendezvous } from './rendezvous.js';

/** What a user passes as an area: what attach(), createArea() or openArea() of any copy returned. */
export interface AreaLike {
  readonly buffer: SharedArrayBuffer;
  readonly memory: AreaValue | undefined;
}

let current: AreaCore | undefined;
let attached: ((core: AreaCore) => void) | undefined;

/** Calls back once this copy has joined the area of the process; one listener. */
export function whenAttached(listener: (core: AreaCore) => void): void {
  attached = listener;
}

/** The area this copy has joined, if it has. */
export function currentCore(): AreaCore | undefined {
  return current;
}

/** Makes what was found this copy's area, unless it has one. */
export function settle(found: Found): AreaCore {
  if (current === undefined) {
    const core = coreIn(found);
    // Now, while it can be: a program may freeze its built-in modules later.
    void core.anchor;
    attached?.(core);
    current = core;
  }
  return current;
}

/**
 * The area of the process, joined now if it was not.
 * @throws as `rendezvous`
 */
export function joinedCore(options: AttachOptions = {}): AreaCore {
  if (current === undefined) return settle(rendezvous(options));
  // Workers started later inherit what environment data holds now, and anyone may have replaced it.
  if (host.inherited(AREA_KEY) !== host.anchored(AREA_KEY)) findOrCreate();
  return current;
}

/** The core behind an area that was passed in, of this copy or another; the process's own if none was. */
export function coreFor(area: AreaLike | undefined): AreaCore {
  if (area === undefined) return current ?? joinedCore();
  const value = area?.memory ?? area?.buffer;
  if (value !== undefined) return coreOf(value);
  throw invalid(
    'area',
    area,
    'what attach(), createArea() or openArea() returned',
    "Leave it out to use the process's area.",
  );
}
