// The places in a module's text that stand for something else when it runs (docs/ABI.md, clause 71): each must hold what the manifest
// says, and is then replaced. The manifest comes from somewhere else than the text, so nothing of it is believed.

import { host } from '../host/host.js';
import type { SourceReference } from './manifest.js';
import type { Source } from './verify.js';

/** What is found where a reference says something else. */
export interface Mismatch {
  readonly place: number;
  readonly found: string;
  readonly expected: string;
}

/** What a reference becomes. */
export type Replace = (reference: SourceReference) => string;

const HELD: Readonly<Record<Exclude<SourceReference['is'], 'import'>, string>> = {
  'import()': 'import',
  url: 'import.meta.url',
  filename: 'import.meta.filename',
  dirname: 'import.meta.dirname',
};

/** What may stand between the words of `import.meta.url`, and a point. */
const GAP = /\s+|\/\/[^\n\r\u2028\u2029]*|\/\*.*?\*\/|\?(?=\.)/gs;
/** A character of a literal that is not written as itself. */
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|u\{([\da-fA-F]{1,6})\}|(\r\n|[^bfnrtvxu\d]))/g;

/** The first place that is not as the manifest says; undefined: there is none. */
export function mismatch(text: string, references: readonly SourceReference[]): Mismatch | undefined {
  let last = 0;
  for (const reference of references) {
    const { start, end } = reference;
    const found = text.slice(start, end);
    const expected = reference.is === 'import' ? reference.specifier : HELD[reference.is];
    const held = reference.is === 'import' ? isLiteral(found, expected) : found.replace(GAP, '') === expected;
    if (start < last || end > text.length || !held) return { place: start, found, expected };
    last = end;
  }
  return undefined;
}

/** The text with every reference replaced. */
export function applied(text: string, references: readonly SourceReference[], replace: Replace): string {
  if (references.length === 0) return text;
  const parts: string[] = [];
  let from = 0;
  for (const reference of references) {
    parts.push(text.slice(from, reference.start), replace(reference));
    from = reference.end;
  }
  parts.push(text.slice(from));
  return parts.join('');
}

/** The same in parts; of what stays, the bytes that were read. */
export function appliedInParts(
  { text, bytes }: Source,
  references: readonly SourceReference[],
  replace: Replace,
): (string | Uint8Array)[] {
  const ascii = text.length === bytes.length;
  const parts: (string | Uint8Array)[] = [];
  let [from, at] = [0, 0];
  for (const { start, end, ...rest } of references) {
    const before = ascii ? start - from : host.modules.byteLength(text.slice(from, start));
    const held = ascii ? end - start : host.modules.byteLength(text.slice(start, end));
    parts.push(bytes.subarray(at, at + before), replace({ start, end, ...rest }));
    from = end;
    at += before + held;
  }
  parts.push(bytes.subarray(at));
  return parts;
}

/** Whether it is the specifier with its quotes, however it is written. */
function isLiteral(found: string, specifier: string): boolean {
  const quote = found[0];
  if ((quote !== '"' && quote !== "'" && quote !== '`') || found.length < 2 || !found.endsWith(quote)) return false;
  const meant = found.slice(1, -1).replace(ESCAPE, (_, ...[two, four, any, itself]: (string | undefined)[]) => {
    if (itself !== undefined) return /[\n\r\u2028\u2029]/.test(itself) ? '' : itself;
    return String.fromCodePoint(Math.min(Number.parseInt(two ?? four ?? any ?? '', 16), 0x10ffff));
  });
  return meant === specifier;
}
