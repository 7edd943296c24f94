// Every failure of the library is a CoexistError: a stable code, the value found, the value expected, and the remedy.

export type CoexistCode =
  | 'COEXIST_EABI'
  | 'COEXIST_EANCHOR'
  | 'COEXIST_ERENDEZVOUS'
  | 'COEXIST_EFULL'
  | 'COEXIST_EOVERFLOW'
  | 'COEXIST_EFAILED'
  | 'COEXIST_EBUSY'
  | 'COEXIST_EUNREGISTERED'
  | 'COEXIST_EKIND'
  | 'COEXIST_ENOSPC'
  | 'COEXIST_EINVAL'
  | 'COEXIST_ETIMEDOUT'
  | 'COEXIST_EABORTED'
  | 'COEXIST_ENOTOWNER'
  | 'COEXIST_EDEADLK'
  | 'COEXIST_ENOTRECOVERABLE'
  | 'COEXIST_EPOISONED'
  | 'COEXIST_EBROKEN'
  | 'COEXIST_EEXIST'
  | 'COEXIST_EGONE'
  | 'COEXIST_EREFUSED'
  | 'COEXIST_EUNSUPPORTED';

export interface CoexistErrorDetails {
  /** What was found or passed. */
  readonly found?: unknown;
  /** What would have been accepted. */
  readonly expected?: unknown;
  /** What to do about it, one sentence. */
  readonly remedy: string;
  readonly cause?: unknown;
}

/**
 * The one error class. Compare `code`, not `instanceof`: another copy of the library has another class.
 * @since 0.1.0
 */
export class CoexistError extends Error {
  override readonly name = 'CoexistError';
  readonly code: CoexistCode;
  readonly found: unknown;
  readonly expected: unknown;
  readonly remedy: string;

  constructor(code: CoexistCode, problem: string, details: CoexistErrorDetails) {
    super(`${code}: ${problem}. ${details.remedy}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.found = details.found;
    this.expected = details.expected;
    this.remedy = details.remedy;
  }
}

/** COEXIST_EINVAL for an argument; thrown before anything has changed. */
export function invalid(
  argument: string,
  found: unknown,
  expected: string,
  remedy = 'Correct the argument; nothing has changed.',
): CoexistError {
  return new CoexistError('COEXIST_EINVAL', `${argument} is ${show(found)}, expected ${expected}`, {
    found,
    expected,
    remedy,
  });
}

/** A value as it appears in a message: short, typed, one line. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function' || (typeof value === 'object' && value !== null)) {
    return Object.prototype.toString.call(value);
  }
  return String(value);
}
