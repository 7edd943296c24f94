// Finding or creating the area as far as this thread can alone (docs/ABI.md, clauses 4 to 7). The inspector bridge runs
// this same code in the main thread: scripts/build.js turns bridge-entry.ts into a constant expression.

import { CoexistError } from '../abi/errors.js';
import { word } from '../abi/field.js';
import { AREA_KEY, HEADER } from '../abi/header.js';
import { checkArea, viewsOf } from '../abi/views.js';
import { host } from '../host/host.js';
import { type Found, listen, markConflict, noteConflict } from './conflict.js';
import { createCandidate, optionsFromEnvironment } from './create.js';

/** Steps 1 to 3 of clause 5; undefined in a worker that finds nothing. */
export function findOrCreate(): Found | undefined {
  const known = host.anchored(AREA_KEY) ?? host.inherited(AREA_KEY);
  if (known !== undefined) return publish(known);
  return host.isMainThread ? publish(createCandidate(optionsFromEnvironment())) : undefined;
}

/**
 * Makes a value this thread's area, unless it has one already, and passes it on to workers started later.
 * @throws COEXIST_EABI, COEXIST_EANCHOR; then nothing is anchored.
 */
export function publish(candidate: unknown): Found {
  const checked = check(candidate);
  const before = host.anchored(AREA_KEY);
  const value = host.anchor(AREA_KEY, candidate);
  if (value === undefined) {
    throw new CoexistError('COEXIST_EANCHOR', 'the exports object of node:worker_threads takes no property', {
      found: 'a frozen or sealed object',
      expected: 'an extensible object',
      remedy:
        'Attach before the program freezes built-in modules: call attach() first, or run node --import coexist/preload.',
    });
  }
  const found = value === candidate ? checked : check(value);
  const inherited = host.inherited(AREA_KEY);
  if (inherited !== value) {
    if (inherited !== undefined) noteOther(found, inherited);
    host.bequeath(AREA_KEY, value);
  }
  if (host.isMainThread && before === undefined && value === candidate) listen(found);
  return found;
}

/**
 * Checks that a value is an area of this contract.
 * @throws COEXIST_EABI
 */
export function check(value: unknown): Found {
  const views = viewsOf(value);
  return { value: value as Found['value'], views, geometry: checkArea(views) };
}

/** The id of the area in a value; 0 if it is none. */
export function areaIdOf(value: unknown): number {
  if (value === undefined) return 0;
  try {
    return Atomics.load(check(value).views.u32, word(HEADER.area_id));
  } catch {
    return 0;
  }
}

function noteOther(found: Found, value: unknown): void {
  const foreign = areaIdOf(value);
  const own = Atomics.load(found.views.u32, word(HEADER.area_id));
  // What is not an area of this contract has nobody attached to it.
  if (foreign === 0 || foreign === own) return;
  noteConflict(found, foreign);
  markConflict(check(value), own);
}
