// What a module's text refers to: its type, the imports it may have, and the places that stand for something else when it runs
// (docs/ABI.md, clause 71). The text is lexed, not parsed: strings, comments and templates are told from code, and what only an engine
// sees shows when the module is loaded. require() is not looked for here: the loader gives CommonJS its own, which refuses.

import { isBuiltin } from 'node:module';
import vm from 'node:vm';
import { type ImportSpecifier, parse } from 'es-module-lexer/js';
import { type FullDeclaration, isOwn, type SourceReference } from '../core.js';

export interface Scan {
  readonly type: 'module' | 'commonjs';
  readonly references: readonly SourceReference[];
  /** In words, each with the line; none: it may be loaded. */
  readonly problems: readonly string[];
}

const META = ['url', 'filename', 'dirname'] as const;
/** What makes a name longer; a backslash begins an escape of such. */
const IN_NAME = /^(?:[\p{ID_Continue}$\\]|\u200c|\u200d)/u;
/** The lexer's types of import.source() and import.defer(), and what it has in `d` for import.meta. */
const PHASES: readonly number[] = [5, 7];
const IMPORT_META = -2;

/** The text is that of `sourceText()`, the declaration the one in it. */
export function scan(text: string, file: string, { type: declared, depends }: FullDeclaration): Scan {
  const lexed = lex(text);
  const type = declared ?? typeOf(file, 'problem' in lexed ? false : lexed.hasModuleSyntax);
  if ('problem' in lexed) return { type, references: [], problems: [lexed.problem] };
  const references: SourceReference[] = [];
  const problems: string[] = [];
  const at = (place: number, problem: string) => problems.push(`line ${lineOf(text, place)}: ${problem}`);
  const malformed = type === 'commonjs' ? compileProblem(text) : undefined;
  if (malformed !== undefined) problems.push(malformed);
  for (const found of lexed.imports) {
    if (found.d === IMPORT_META) {
      const reference = type === 'module' ? metaAt(text, found) : undefined;
      if (reference !== undefined) references.push(reference);
      continue;
    }
    if (type === 'commonjs') {
      if (PHASES.includes(found.t)) at(found.ss, 'import.source() and import.defer() are not for CommonJS modules');
      // Static ones are a syntax error there, reported above.
      if (found.d >= 0) references.push({ start: found.ss, end: found.ss + 'import'.length, is: 'import()' });
    }
    if (found.d < 0 && !isStatement(text, found))
      at(found.ss, 'a comment with quotes in an import statement: move it out of it');
    const { n: specifier } = found;
    // What is computed is decided when it is imported.
    if (specifier === undefined) continue;
    const problem = problemOf(specifier, depends);
    if (problem !== undefined) at(found.ss, `it imports ${JSON.stringify(specifier)}, ${problem}`);
    else if (type === 'module' && (depends.includes(specifier) || isOwn(specifier))) {
      references.push({ ...literalOf(found), is: 'import', specifier });
    }
  }
  // An import can be inside another's argument.
  return { type, references: references.sort((a, b) => a.start - b.start), problems };
}

function lex(
  text: string,
): { readonly imports: readonly ImportSpecifier[]; readonly hasModuleSyntax: boolean } | { readonly problem: string } {
  try {
    const [imports, , , hasModuleSyntax] = parse(text);
    return { imports, hasModuleSyntax };
  } catch (error) {
    const { idx } = error as { readonly idx?: unknown };
    if (typeof idx !== 'number') throw error;
    return { problem: `line ${lineOf(text, idx)}: a syntax error, or a comment with quotes in an import statement` };
  }
}

function typeOf(file: string, hasModuleSyntax: boolean): 'module' | 'commonjs' {
  if (file.endsWith('.mjs')) return 'module';
  if (file.endsWith('.cjs')) return 'commonjs';
  return hasModuleSyntax ? 'module' : 'commonjs';
}

/** Compiles a CommonJS module as a loader does, without running it. */
function compileProblem(text: string): string | undefined {
  try {
    vm.compileFunction(text, ['exports', 'require', 'module', '__filename', '__dirname'], { filename: 'module' });
    return undefined;
  } catch (error) {
    const { message, stack = '' } = error as Error;
    const [, line = '?'] = /^module:(\d+)/.exec(stack) ?? [];
    return `line ${line}: a syntax error: ${message}`;
  }
}

/** Why a module cannot import this. */
function problemOf(specifier: string, depends: readonly string[]): string | undefined {
  if (depends.includes(specifier) || isOwn(specifier) || isBuiltin(specifier)) return undefined;
  if (/^\.{0,2}(?:[/\\]|$)/.test(specifier)) return 'a path: bundle that file into the module';
  if (specifier.startsWith('node:')) return 'which this runtime does not have';
  if (URL.canParse(specifier)) return 'a URL, whose content nobody verifies: bundle it into the module';
  return 'which its depends do not name: declare it there, or bundle it into the module';
}

/** The specifier with its quotes; the lexer gives those of import() only. */
function literalOf({ s, e, d }: ImportSpecifier): { readonly start: number; readonly end: number } {
  return d >= 0 ? { start: s, end: e } : { start: s - 1, end: e + 1 };
}

/** Whether the specifier of a static import stands in code: the lexer takes the first quotes there are, also those in a comment. */
function isStatement(text: string, { ss, s }: ImportSpecifier): boolean {
  const pieces = /\/\/[^\n\r\u2028\u2029]*|\/\*.*?\*\/|"[^"]*"|'[^']*'|./gs;
  pieces.lastIndex = ss;
  while (pieces.lastIndex < s - 1) pieces.exec(text);
  return pieces.lastIndex === s - 1;
}

/** `import.meta.url` and its like, however it is spaced; undefined for any other use of import.meta. */
function metaAt(text: string, { s, e }: ImportSpecifier): SourceReference | undefined {
  let at = afterSpace(text, e);
  if (text.startsWith('?.', at)) at += 2;
  else if (text[at] === '.') at += 1;
  else return undefined;
  at = afterSpace(text, at);
  const is = META.find(
    (name) => text.startsWith(name, at) && !IN_NAME.test(text.slice(at + name.length, at + name.length + 2)),
  );
  return is === undefined ? undefined : { start: s, end: at + is.length, is };
}

/** Where white space and comments end. */
function afterSpace(text: string, from: number): number {
  const space = /(?:\s|\/\/[^\n\r\u2028\u2029]*|\/\*.*?\*\/)/sy;
  let at = from;
  for (;;) {
    space.lastIndex = at;
    const found = space.exec(text);
    if (found === null) return at;
    at += found[0].length;
  }
}

function lineOf(text: string, place: number): number {
  return text.slice(0, place).split(/\r\n|[\n\r\u2028\u2029]/).length;
}
