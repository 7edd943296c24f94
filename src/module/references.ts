// The places in a module's text that stand for something else when it runs (docs/ABI.md, clause 71): each must hold what the manifest
// says, and is then replaced. The manifest comes from somewhere else than the text, so nothing of it is believed.

import type { SourceReference } from './manifest.js';

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

/** The first place that is not as the manifest says; undefined: there is none. */
export function mismatch(text: string, references: readonly SourceReference[]): Mismatch | undefined {
  let last = 0;
  for (const reference of references) {
    const { start, end } = reference;
    const found = text.slice(start, end);
    const expected = reference.is === 'import' ? reference.specifier : HELD[reference.is];
    // A literal with its quotes, and without escapes, since module names have none.
    const held = reference.is === 'import' ? isLiteral(found, expected) : withoutSpace(found) === expected;
    if (start < last || end > text.length || !held) return { place: start, found, expected };
    last = end;
  }
  return undefined;
}

/** The text with every reference replaced. */
export function applied(text: string, references: readonly SourceReference[], replace: Replace): string {
  const parts: string[] = [];
  let from = 0;
  for (const reference of references) {
    parts.push(text.slice(from, reference.start), replace(reference));
    from = reference.end;
  }
  parts.push(text.slice(from));
  return parts.join('');
}

function isLiteral(found: string, specifier: string): boolean {
  const quote = found[0];
  return (quote === '"' || quote === "'") && found === `${quote}${specifier}${quote}`;
}

const withoutSpace = (text: string): string => text.replace(/\s+/g, '');
