// What a method threw, as plain data and back (docs/ABI.md, clause 66): the engine's own clone of an error keeps neither its code nor
// its own properties. A value in it that cannot be cloned is replaced by how it would be shown: it must not cost the whole error.

import { type CoexistCode, CoexistError, show } from '../abi/errors.js';
import { host } from '../host/host.js';
import { packed } from './packed.js';

/** What was thrown, a cause or one of `errors`: an error as a record, or any other value. */
export type Thrown = { readonly error: ErrorRecord } | { readonly value: unknown };

export interface ErrorRecord {
  name: string;
  message: string;
  stack?: string;
  code?: unknown;
  cause?: Thrown;
  errors?: Thrown[];
  /** Its other own enumerable properties. */
  [property: string]: unknown;
}

/** Of causes and errors, one inside the other: more are shown, not recorded. */
const DEPTH_MAX = 64;
/** Read under these names, or not to be set by a plain assignment. */
const OWN_FIELDS = new Set(['name', 'message', 'stack', 'cause', '__proto__']);
const COEXIST_FIELDS = new Set(['code', 'found', 'expected', 'remedy']);

/** The classes that every realm has. */
const CLASSES: ReadonlyMap<string, new (message: string) => Error> = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((type) => [type.name, type]),
);

/** What was thrown, as data that can be passed; `shown`: with nothing in it that only the engine's clone could carry. */
export function recordOf(thrown: unknown, shown = false): Thrown {
  const records = new Map<Error, ErrorRecord>();
  const passable = (value: unknown): unknown => (isPassable(value, shown) ? value : shownAs(value));

  const thrownOf = (value: unknown, depth: number): Thrown => {
    if (!attempt(() => host.clone.isError(value))) return { value: passable(value) };
    const error = value as Error;
    const known = records.get(error);
    if (known !== undefined) return { error: known };
    return depth > DEPTH_MAX ? { value: textOf(error) } : { error: recordOfError(error, depth) };
  };

  const recordOfError = (error: Error, depth: number): ErrorRecord => {
    const record: ErrorRecord = {
      name: textOf(attempt(() => error.name) ?? 'Error'),
      message: textOf(attempt(() => error.message) ?? ''),
    };
    records.set(error, record);
    const stack = attempt(() => error.stack);
    if (typeof stack === 'string') record.stack = stack;
    // Of a DOMException it is the prototype's.
    const code = attempt(() => (error as { code?: unknown }).code);
    if (code !== undefined) record.code = passable(code);
    const cause = attempt(() => error.cause);
    if (attempt(() => Object.hasOwn(error, 'cause'))) record.cause = thrownOf(cause, depth + 1);
    const errors = attempt(() => arrayOf((error as { errors?: unknown }).errors));
    if (errors !== undefined) record.errors = errors.map((one) => thrownOf(one, depth + 1));
    for (const key of attempt(() => Object.keys(error)) ?? []) {
      if (OWN_FIELDS.has(key) || Object.hasOwn(record, key)) continue;
      record[key] = passable(attempt(() => (error as unknown as Record<string, unknown>)[key]));
    }
    return record;
  };

  return thrownOf(thrown, 0);
}

/** What was thrown, or the nearest this realm has to it. Takes any data: what is no record is passed on as it is. */
export function errorOf(thrown: unknown): unknown {
  const errors = new Map<object, Error>();

  const thrownFrom = (from: unknown): unknown => {
    const { error, value } = (from ?? {}) as { error?: unknown; value?: unknown };
    return isObject(error) ? errorOfRecord(error as unknown as ErrorRecord) : value;
  };

  const errorOfRecord = (record: ErrorRecord): Error => {
    const known = errors.get(record);
    if (known !== undefined) return known;
    const error = made(record);
    errors.set(record, error);
    if (record.stack !== undefined) hide(error, 'stack', textOf(record.stack));
    if ('cause' in record) hide(error, 'cause', thrownFrom(record.cause));
    for (const key of Object.keys(record)) {
      if (OWN_FIELDS.has(key) || (error instanceof CoexistError && COEXIST_FIELDS.has(key))) continue;
      const value = key === 'errors' && Array.isArray(record.errors) ? record.errors.map(thrownFrom) : record[key];
      // An AggregateError has had them from the start, and hides them.
      const enumerable = key !== 'errors' || !(error instanceof AggregateError);
      Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable });
    }
    return error;
  };

  // Nothing says that the outermost must be wrapped.
  const bare = isObject(thrown) && typeof thrown['message'] === 'string' && !('error' in thrown || 'value' in thrown);
  return bare ? errorOfRecord(thrown as unknown as ErrorRecord) : thrownFrom(thrown);
}

function made(record: ErrorRecord): Error {
  const { code, found, expected, remedy } = record;
  const [name, message] = [textOf(record.name), textOf(record.message)];
  if (name === 'CoexistError' && typeof code === 'string' && code.startsWith('COEXIST_')) {
    const error = new CoexistError(code as CoexistCode, '', { found, expected, remedy: textOf(remedy) });
    hide(error, 'message', message);
    return error;
  }
  if (name === 'AggregateError') return new AggregateError([], message);
  const type = CLASSES.get(name);
  if (type !== undefined) return new type(message);
  const error = new Error(message);
  hide(error, 'name', name);
  return error;
}

/** Sets a property that, like those an error is born with, is not enumerable. */
function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}

function isPassable(value: unknown, shown: boolean): boolean {
  try {
    if (packed([value]) !== undefined) return true;
    if (shown && typeof value === 'object') return false;
    // What only message passing can carry is shown as well: an error should reach whoever has no port.
    return !host.clone.foreign(host.clone.cloned(value));
  } catch {
    return false;
  }
}

/** Getters of what was thrown may throw in turn. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const arrayOf = (value: unknown): unknown[] | undefined => (Array.isArray(value) ? Array.from(value) : undefined);

function shownAs(value: unknown): string {
  return attempt(() => show(value)) ?? `a value of type ${typeof value}`;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return attempt(() => String(value)) ?? shownAs(value);
}
