// Makes a copy of the built library with one planted bug. The texts of a mutation use the names of the source; the bundler may have
// put a number behind some of them, so names are matched with any number and carried over into the replacement.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

export interface Mutation {
  readonly name: string;
  /** The protocol that finds it. */
  readonly protocol: string;
  readonly threads: number;
  readonly maxPreemptions: number;
  readonly kills: number;
  /** Part of the message or the kind of the failure. */
  readonly finds: string;
  /** Text in dist/core.js; occurs exactly once. White space and the bundler's numbers do not count. */
  readonly find: string;
  readonly replace: string;
}

const NAME = /[A-Za-z_$][\w$]*/;
const TOKENS = new RegExp(`${NAME.source}|\\s+|[^\\s\\w$]|\\d\\w*`, 'g');

/** The text with the mutation applied. Throws unless what it looks for occurs exactly once. */
export function mutate(text: string, { name, find, replace }: Mutation): string {
  const names: string[] = [];
  const parts = (find.match(TOKENS) ?? []).map((token) => {
    if (/^\s+$/.test(token)) return '\\s*';
    if (!new RegExp(`^${NAME.source}$`).test(token)) return `${token.replace(/[^\w\s]/, '\\$&')}\\s*`;
    const known = names.indexOf(token);
    if (known >= 0) return `\\${known + 1}\\b\\s*`;
    names.push(token);
    return `\\b(${token.replaceAll('$', '\\$')}\\d*)\\b\\s*`;
  });
  const found = [...text.matchAll(new RegExp(parts.join(''), 'g'))];
  const match = found[0];
  if (found.length !== 1 || match === undefined) throw new Error(`mutation ${name}: found ${found.length} times`);
  const replacement = replace.replace(new RegExp(NAME, 'g'), (word) => {
    const known = names.indexOf(word);
    return known < 0 ? word : (match[known + 1] as string);
  });
  return `${text.slice(0, match.index)}${replacement}\n${text.slice(match.index + match[0].length)}`;
}

/** URL of a copy of core.js with the mutation. */
export function plant(mutation: Mutation, root: URL): string {
  const folder = new URL('build/mutants/', root);
  mkdirSync(folder, { recursive: true });
  const file = new URL(`${mutation.name.replaceAll(' ', '-')}.js`, folder);
  writeFileSync(file, mutate(readFileSync(new URL('dist/core.js', root), 'utf8'), mutation));
  return file.href;
}
