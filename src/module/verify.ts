// Whether bytes are the module that the manifest says and of the loader's build. Nothing of them has run; what passes here is the text
// that is evaluated, so that there is no second reading that could differ.

import { host } from '../host/host.js';
import { declaredBuild, readDeclaration, sourceText } from './declaration.js';
import type { ManifestModule, ModuleDeclaration } from './manifest.js';
import { mismatch } from './references.js';
import {
  type BuildAt,
  type Refusal,
  refusedBuild,
  refusedContent,
  refusedNotAModule,
  refusedReference,
  refusedSize,
} from './refusals.js';

/** The text of a file, and its UTF-8: neither has a byte order mark. */
export interface Source {
  readonly text: string;
  readonly bytes: Uint8Array;
}

export interface Verified extends Source {
  readonly ok: true;
  readonly path: string;
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** `expected`: the build of the loader, and what names it. */
export function verify(bytes: Uint8Array, path: string, entry: ManifestModule, expected: BuildAt): Verified | Refusal {
  const { name } = entry;
  const text = sourceText(bytes);
  if (text === undefined) return differs(bytes, path, entry) ?? refusedNotAModule(name, path, 'no UTF-8');
  let declaration: ModuleDeclaration | undefined;
  try {
    declaration = readDeclaration(text);
  } catch (error) {
    const fingerprint = declaredBuild(text) ?? expected.fingerprint;
    if (fingerprint !== expected.fingerprint) return refusedBuild(name, { fingerprint, path }, expected);
    return refusedNotAModule(name, path, 'a malformed declaration', error);
  }
  if (declaration === undefined) return refusedNotAModule(name, path, `no declaration in its ${bytes.length} bytes`);
  if (declaration.name !== name) {
    return refusedNotAModule(name, path, `the declaration of module ${JSON.stringify(declaration.name)}`);
  }
  if (declaration.fingerprint !== expected.fingerprint) {
    return refusedBuild(name, { fingerprint: declaration.fingerprint, path }, expected);
  }
  const changed = differs(bytes, path, entry);
  if (changed !== undefined) return changed;
  const wrong = mismatch(text, entry.references);
  if (wrong !== undefined) return refusedReference(name, path, wrong);
  const marked = BYTE_ORDER_MARK.every((byte, k) => bytes[k] === byte);
  return { ok: true, path, text, bytes: marked ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes };
}

function differs(bytes: Uint8Array, path: string, entry: ManifestModule): Refusal | undefined {
  if (bytes.length !== entry.bytes) return refusedSize(entry.name, path, bytes.length, entry.bytes);
  const sha256 = host.modules.sha256(bytes);
  return sha256 === entry.sha256 ? undefined : refusedContent(entry.name, path, sha256, entry.sha256);
}
