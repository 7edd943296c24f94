// What became of a request to load: always a value. Messages name both sides, in the order found, expected.

import type { CoexistError } from '../abi/errors.js';

export type RefusalReason =
  /** The name is none that a module can have. */
  | 'name'
  /** The file holds no declaration, or not one of that name. */
  | 'not-a-module'
  /** It is not in the manifest. */
  | 'unlisted'
  /** It is of another build than the host. */
  | 'build'
  /** Its targets do not include this host. */
  | 'host'
  /** The host does not allow it. */
  | 'not-allowed'
  /** The path leads out of the module directories. */
  | 'outside'
  /** A directory, a device, a pipe. */
  | 'not-a-file'
  /** It cannot be read. */
  | 'unreadable'
  | 'too-large'
  /** Its bytes are not those that the manifest was made of. */
  | 'content'
  /** It depends on itself, through others. */
  | 'cycle'
  /** Another build of it is loaded in the process. */
  | 'process'
  /** An interface has another version, lacks a function, or has an implementation already. */
  | 'interface';

interface OfModule {
  /** What was asked for. */
  readonly name: string;
  /** In words, with both sides. */
  readonly message: string;
}

interface LoadedAs<How> extends OfModule {
  readonly outcome: How;
  /** What it exports. */
  readonly exports: unknown;
  readonly path: string;
  readonly fingerprint: string;
  /** Of the module in the process (docs/ABI.md, clause 72). */
  readonly generation: number;
}

/** Two members, so that a test of `outcome` leaves the others. */
export type Loaded = LoadedAs<'loaded'> | LoadedAs<'already'>;

export interface Absent extends OfModule {
  readonly outcome: 'absent';
  /** What there is none of. */
  readonly missing: string;
  /** From what was asked for to what is missing. */
  readonly chain: readonly string[];
}

export interface Refused extends OfModule {
  readonly outcome: 'refused';
  readonly reason: RefusalReason;
  /** Which module was refused: this one, or one that it depends on. */
  readonly culprit: string;
  /** COEXIST_EREFUSED, with `found`, `expected` and `remedy`. */
  readonly error: CoexistError;
  readonly chain: readonly string[];
}

export interface Failed extends OfModule {
  readonly outcome: 'failed';
  /** Which module failed: this one, or one that it depends on. */
  readonly culprit: string;
  /** COEXIST_EFAILED, COEXIST_ETIMEDOUT or COEXIST_EABORTED; its `cause` is what was thrown. */
  readonly error: CoexistError;
  readonly chain: readonly string[];
}

export type Outcome = Loaded | Absent | Refused | Failed;
