// Why a module is not let in, one function for each reason. Each message names what was found first and what was expected second, both
// with the path that they come from, and then what to do.

import { CoexistError, show } from '../abi/errors.js';
import type { FileRead } from '../host/modules.js';
import { textOf } from './endings.js';
import type { RefusalReason } from './outcome.js';
import type { Mismatch } from './references.js';

export interface Refusal {
  readonly ok: false;
  readonly outcome: 'refused';
  readonly reason: RefusalReason;
  readonly culprit: string;
  /** COEXIST_EREFUSED; its message is the outcome's. */
  readonly error: CoexistError;
}

/** Not a refusal: there is nothing that could be refused. */
export interface Missing {
  readonly ok: false;
  readonly outcome: 'absent';
  readonly missing: string;
  readonly message: string;
}

/** A build, and where that is known from. */
export interface BuildAt {
  readonly fingerprint: string;
  readonly path: string;
}

interface Both {
  readonly found: unknown;
  readonly expected: unknown;
  readonly remedy: string;
  readonly cause?: unknown;
}

function refusal(reason: RefusalReason, culprit: string, problem: string, both: Both): Refusal {
  return { ok: false, outcome: 'refused', reason, culprit, error: new CoexistError('COEXIST_EREFUSED', problem, both) };
}

const the = (name: string, path: string): string => `module ${show(name)} at ${path}`;
const listed = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.map(show).join(', '));

export const refusedName = (name: string): Refusal =>
  refusal(
    'name',
    name,
    `${show(name)} is no name of a module, expected 1 to 56 of A-Z a-z 0-9 . _ @ + -, a letter or digit first`,
    {
      found: name,
      expected: '1 to 56 of A-Z a-z 0-9 . _ @ + -, a letter or digit first',
      remedy: 'Ask for a module by the name in its declaration, not by a path.',
    },
  );

/** `found` in words: 'no declaration', 'the declaration of "b"'. */
export const refusedNotAModule = (name: string, path: string, found: string, cause?: unknown): Refusal =>
  refusal('not-a-module', name, `${path} holds ${found}, expected the declaration of module ${show(name)}`, {
    found,
    expected: `the declaration of module ${show(name)}`,
    remedy:
      'Put a coexist-module comment that declares it into the file, build it as UTF-8, and collect the manifest again.',
    cause,
  });

export const refusedUnlisted = (name: string, path: string, manifest: string): Refusal =>
  refusal('unlisted', name, `${the(name, path)} is not listed, expected it in the manifest ${manifest}`, {
    found: path,
    expected: `an entry of ${show(name)} in ${manifest}`,
    remedy: 'Collect the manifest of the directory again (coexist modinfo collect).',
  });

export const refusedBuild = (name: string, found: BuildAt, expected: BuildAt): Refusal =>
  refusal(
    'build',
    name,
    `module ${show(name)} is of build ${found.fingerprint} at ${found.path}, expected build ${expected.fingerprint} of ${expected.path}`,
    {
      found,
      expected,
      remedy:
        'Rebuild or reinstall the module and its host so that both are of one build; behind an upgrade, start the program again.',
    },
  );

export const refusedHost = (name: string, host: string | undefined, targets: readonly string[]): Refusal =>
  refusal(
    'host',
    name,
    `this host is ${host === undefined ? 'none that is named' : show(host)}, expected one of the targets of module ${show(name)}: ${listed(targets)}`,
    {
      found: host,
      expected: targets,
      remedy: 'Load it in a host that it is for, or add this one to its targets and build it again.',
    },
  );

/** `allowed`: the host's list, undefined where a function decides. */
export const refusedNotAllowed = (name: string, allowed: readonly string[] | undefined): Refusal =>
  refusal(
    'not-allowed',
    name,
    `module ${show(name)} is none that this host allows, expected ${allowed === undefined ? 'one that its `allow` function accepts' : `one of ${listed(allowed)}`}`,
    {
      found: name,
      expected: allowed ?? 'a name that allow() accepts',
      remedy: 'Add it to `allow` of the loader if this host shall have it.',
    },
  );

/** `thrown` by the host's `allow`. */
export const refusedUndecided = (name: string, thrown: unknown): Refusal =>
  refusal(
    'not-allowed',
    name,
    `\`allow\` threw ${JSON.stringify(textOf(thrown))} for module ${show(name)}, expected true or false`,
    {
      found: thrown,
      expected: 'true or false',
      remedy: 'Correct `allow` of the loader; a module that it does not decide about is not loaded.',
      cause: thrown,
    },
  );

export const refusedOutside = (name: string, path: string, dir: string): Refusal =>
  refusal('outside', name, `the file of module ${show(name)} is ${path}, expected one in the directory ${dir}`, {
    found: path,
    expected: dir,
    remedy:
      'Put the file itself into the directory, not a link out of it, or add the directory that it is in to `dirs`.',
  });

export const refusedNotAFile = (name: string, path: string, kind: string): Refusal =>
  refusal('not-a-file', name, `${the(name, path)} is ${kind}, expected a regular file`, {
    found: kind,
    expected: 'a regular file',
    remedy: 'Put the file of the module there.',
  });

export const refusedUnreadable = (name: string, path: string, cause: unknown): Refusal =>
  refusal(
    'unreadable',
    name,
    `${the(name, path)} gives ${reasonOf(cause)}, expected a file that this process can read`,
    {
      found: reasonOf(cause),
      expected: 'a readable file',
      remedy: 'Correct its permissions, or the link that leads there.',
      cause,
    },
  );

export const refusedTooLarge = (name: string, path: string, bytes: number, maxBytes: number): Refusal =>
  refusal('too-large', name, `${the(name, path)} has ${bytes} bytes, expected ${maxBytes} at most`, {
    found: bytes,
    expected: maxBytes,
    remedy: 'Make the module smaller, or pass a larger `maxBytes` to the loader.',
  });

export const refusedSize = (name: string, path: string, bytes: number, listedBytes: number): Refusal =>
  refusal('content', name, `${the(name, path)} has ${bytes} bytes, expected the ${listedBytes} of the manifest`, {
    found: bytes,
    expected: listedBytes,
    remedy: CHANGED,
  });

export const refusedContent = (name: string, path: string, sha256: string, listedSha256: string): Refusal =>
  refusal('content', name, `${the(name, path)} has the SHA-256 ${sha256}, expected ${listedSha256} of the manifest`, {
    found: sha256,
    expected: listedSha256,
    remedy: CHANGED,
  });

/** A reference of the manifest is not what the text holds there. */
export const refusedReference = (name: string, path: string, { place, found, expected }: Mismatch): Refusal =>
  refusal(
    'content',
    name,
    `${the(name, path)} holds ${show(found)} at ${place}, expected ${show(expected)} of the manifest`,
    {
      found,
      expected,
      remedy: CHANGED,
    },
  );

const CHANGED = 'Collect the manifest again if the file was changed on purpose, otherwise install it again.';

/** `cycle` from a module to itself. */
export const refusedCycle = (name: string, cycle: readonly string[]): Refusal =>
  refusal('cycle', name, `module ${show(name)} depends on itself through ${cycle.join(' -> ')}, expected no cycle`, {
    found: cycle,
    expected: 'dependencies without a cycle',
    remedy: 'Take one of these dependencies away.',
  });

export const refusedProcess = (name: string, found: BuildAt, expected: BuildAt): Refusal =>
  refusal(
    'process',
    name,
    `this process has module ${show(name)} of build ${found.fingerprint} from ${found.path}, expected build ${expected.fingerprint} from ${expected.path}`,
    { found, expected, remedy: "Load one build in all threads, or pass otherBuilds: 'allow' to the loader." },
  );

/** A file whose bytes are not to be had. */
export function refusedRead(
  name: string,
  path: string,
  read: Exclude<FileRead, { readonly bytes: Uint8Array }>,
  maxBytes: number,
): Refusal {
  if (read.is === 'another-kind') return refusedNotAFile(name, path, read.kind);
  if (read.is === 'too-large') return refusedTooLarge(name, path, read.size, maxBytes);
  return refusedUnreadable(name, path, read.cause);
}

/** `problem` in words, found first. */
export const refusedInterface = (name: string, problem: string, both: Both): Refusal =>
  refusal('interface', name, problem, both);

export const missing = (name: string, file: string, dirs: readonly string[]): Missing => ({
  ok: false,
  outcome: 'absent',
  missing: name,
  message: `module ${show(name)} is not installed: no ${file} found, expected in ${dirs.length === 0 ? 'no directory' : dirs.join(', ')}. Install it if it is needed.`,
});

function reasonOf(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null) return show(cause);
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message);
}
