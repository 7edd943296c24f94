// From a verified text to what it exports. Nothing is read again: an ES module is imported as a data: URL of its text, CommonJS is
// compiled from it. Both see their real path, and import what they declare and nothing else.

import { CoexistError, show } from '../abi/errors.js';
import { host } from '../host/host.js';
import { DYNAMIC_IMPORT } from '../host/modules.js';
import type { ManifestModule, SourceReference } from './manifest.js';
import { applied, appliedInParts } from './references.js';
import { boundUrl, type Dependency, dependencyUrl } from './shims.js';
import { type Evaluating, threadModules } from './thread-state.js';
import type { Source } from './verify.js';

export interface EvaluateOptions {
  /** The real path. */
  readonly path: string;
  /** Of this evaluation, by `next` of the thread's state: an instance of its own. */
  readonly number: number;
  /** What has been evaluated before it; asked for names that it declares alone. */
  readonly dependency: (name: string) => Dependency | undefined;
  /** The functions of coexist/module that know which module they are of. */
  readonly bound: Readonly<Record<string, unknown>>;
  /** Longest time that CommonJS may run in one go, in ms. An ES module that never returns cannot be ended. */
  readonly timeout?: number | undefined;
  /** Aborted where the load has been given up: nothing of CommonJS begins to run then. */
  readonly signal?: AbortSignal | undefined;
}

/** In an object of its own: a module may export a function `then`. */
export interface Evaluated {
  readonly exports: unknown;
  /** Of an ES module. */
  readonly url: string | undefined;
}

/**
 * Says in the thread's state (`evaluating`) what it evaluates, for as long as it does: CommonJS in one go.
 * @throws COEXIST_EFAILED, its cause what the module has thrown, naming module and path
 * @throws COEXIST_ETIMEDOUT where CommonJS has run longer than it may
 */
export async function evaluate(source: Source, entry: ManifestModule, options: EvaluateOptions): Promise<Evaluated> {
  const deadline = host.now() + (options.timeout ?? Number.POSITIVE_INFINITY);
  try {
    return entry.type === 'module'
      ? await esModule(source, entry, options)
      : await commonJs(source.text, entry, options);
  } catch (thrown) {
    // A timer may be a little early by the clock.
    throw failure(thrown, entry, options, host.now() >= deadline - 1);
  }
}

async function esModule(source: Source, entry: ManifestModule, options: EvaluateOptions): Promise<Evaluated> {
  const { modules } = host;
  const parts = appliedInParts(source, entry.references, (reference) => {
    const literal = literalFor(reference, entry, options);
    return literal === undefined ? source.text.slice(reference.start, reference.end) : JSON.stringify(literal);
  });
  parts.push(`\n//# sourceURL=${modules.fileUrl(options.path)}`);
  const url = modules.textUrl(parts, `${entry.name}-${options.number}`);
  const end = begin({ number: options.number, synchronous: false });
  try {
    const { exports } = await imported(url, source.text, `${entry.name}-${options.number}`);
    return { exports, url };
  } finally {
    end();
  }
}

/** What may export one: the word as a name that is declared or listed. Where it is no export, only a little time is lost. */
const THEN = /(?<![.\w$])then["']?\s*[=,;}\]:({/]|\b(?:class|let|var)\s+then\b|\bexport\s*\*/;

/** import() takes a namespace with a function `then` for a promise, and calls that; inside another module's it is a value. */
async function imported(url: string, text: string, label: string): Promise<{ readonly exports: unknown }> {
  const { modules } = host;
  if (!THEN.test(text)) return { exports: await modules.importUrl(url) };
  const around = `import * as exports from ${JSON.stringify(url)};\nexport { exports };`;
  return (await modules.importUrl(modules.textUrl([around], label))) as { exports: unknown };
}

/** Undefined: as it is written. */
function literalFor(reference: SourceReference, entry: ManifestModule, options: EvaluateOptions): string | undefined {
  const { modules } = host;
  switch (reference.is) {
    case 'import':
      return urlOf(reference.specifier, entry, options);
    case 'url':
      return modules.fileUrl(options.path);
    case 'filename':
      return options.path;
    case 'dirname':
      return modules.dirname(options.path);
    case 'import()':
      return undefined;
  }
}

/** Where an import leads; undefined for the runtime's own modules. */
function urlOf(specifier: string, entry: ManifestModule, options: EvaluateOptions): string | undefined {
  const dependency = entry.depends.includes(specifier) ? options.dependency(specifier) : undefined;
  if (dependency !== undefined) return dependencyUrl(dependency);
  if (specifier === 'coexist/module') return boundUrl(options.number, entry.name, options.bound);
  if (host.modules.isBuiltin(specifier)) return undefined;
  const url = host.modules.entryUrl(specifier);
  if (url !== undefined) return url;
  throw undeclared(specifier, entry);
}

async function commonJs(text: string, entry: ManifestModule, options: EvaluateOptions): Promise<Evaluated> {
  const { modules } = host;
  const replaced = applied(text, entry.references, () => DYNAMIC_IMPORT);
  // As long as it was: no place moves.
  const source = replaced.startsWith('#!') ? `//${replaced.slice(2)}` : replaced;
  const library = await libraryFor(text, options);
  const require = (specifier: unknown): unknown => {
    if (typeof specifier === 'string') {
      const dependency = entry.depends.includes(specifier) ? options.dependency(specifier) : undefined;
      if (dependency !== undefined) return dependency.exports;
      if (library.has(specifier)) return library.get(specifier);
      if (modules.isBuiltin(specifier)) return modules.builtin(specifier);
    }
    throw undeclared(specifier, entry);
  };
  const dynamicImport = async (specifier: unknown): Promise<unknown> => {
    const name = String(specifier);
    return await modules.importUrl(urlOf(name, entry, options) ?? name);
  };
  // Given up while it was prepared: nothing of it runs.
  if (options.signal?.aborted) return { exports: undefined, url: undefined };
  const end = begin({ number: options.number, synchronous: true });
  try {
    const run = { exports: {}, require, dynamicImport, timeout: options.timeout };
    return { exports: modules.runCommonJs(source, options.path, run), url: undefined };
  } finally {
    end();
  }
}

/** The entries of the library that a text of CommonJS names: require() of them cannot wait. */
async function libraryFor(text: string, { bound }: EvaluateOptions): Promise<ReadonlyMap<string, unknown>> {
  const found = new Map<string, unknown>();
  for (let at = text.indexOf('coexist'); at >= 0; at = text.indexOf('coexist', at + 1)) {
    const quote = text[at - 1];
    if (quote !== '"' && quote !== "'" && quote !== '`') continue;
    const end = text.indexOf(quote, at);
    const specifier = text.slice(at, end);
    if (end < 0 || end - at > 32 || found.has(specifier)) continue;
    const url = host.modules.entryUrl(specifier);
    const entry = url === undefined ? undefined : ((await host.modules.importUrl(url)) as object);
    if (specifier === 'coexist/module') found.set(specifier, Object.freeze({ ...entry, ...bound }));
    else if (entry !== undefined) found.set(specifier, entry);
  }
  return found;
}

/** The thread's list says what runs; of what is synchronous, the last is what is running. */
function begin(evaluating: Evaluating): () => void {
  const list = threadModules().evaluating;
  list.push(evaluating);
  return () => {
    const at = list.indexOf(evaluating);
    if (at >= 0) list.splice(at, 1);
  };
}

function undeclared(specifier: unknown, entry: ManifestModule): CoexistError {
  if (typeof specifier === 'string' && /^coexist(\/|$)/.test(specifier)) {
    return new CoexistError(
      'COEXIST_EREFUSED',
      `module ${show(entry.name)} imports ${show(specifier)}, which is not to be found, expected an entry of the package coexist`,
      {
        found: specifier,
        expected: 'an entry of the package coexist, beside this copy or where the program can import it',
        remedy: 'Correct the name, or install coexist beside a program that it is bundled into.',
      },
    );
  }
  const declared = entry.depends.length === 0 ? 'none' : entry.depends.map(show).join(', ');
  return new CoexistError(
    'COEXIST_EREFUSED',
    `module ${show(entry.name)} imports ${show(specifier)}, expected one that it declares (${declared}), one of the runtime's own or of coexist`,
    { found: specifier, expected: entry.depends, remedy: 'Bundle it into the module, or declare it in `depends`.' },
  );
}

function failure(thrown: unknown, entry: ManifestModule, options: EvaluateOptions, late: boolean): CoexistError {
  const { path } = options;
  // What was left of the load's time.
  const timeout = Math.ceil(options.timeout ?? 0);
  const where = `module ${show(entry.name)} at ${path}`;
  if (late && attempt(() => (thrown as { code?: unknown } | null)?.code) === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
    return new CoexistError('COEXIST_ETIMEDOUT', `${where} was still evaluating after ${timeout} ms`, {
      found: 'a text that had not ended',
      expected: `one that ends within ${timeout} ms`,
      remedy: 'Look for an endless loop in it, or allow it more time.',
      cause: thrown,
    });
  }
  const text = attempt(() => (host.clone.isError(thrown) ? readable(thrown, entry, options) : show(thrown)));
  const message = text ?? 'something without a text';
  return new CoexistError('COEXIST_EFAILED', `${where} failed as it was evaluated: ${message.replace(/\.$/, '')}`, {
    found: message,
    expected: 'a text that is evaluated to its end',
    remedy: 'Correct the module; nothing of it is left in this thread.',
    cause: thrown,
  });
}

/** Properties of what a module has thrown may throw, too. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const TEXT_URL = /data:text\/javascript;base64,[A-Za-z0-9+/=]*#([\w.@+-]+)/g;

/** In the runtime's own errors a path, or a name, stands in the place of a text's URL, which is as long as the text. */
function readable(error: Error, { name }: ManifestModule, { path, number }: EvaluateOptions): string {
  const short = (text: string): string =>
    text.replace(TEXT_URL, (_, label: string) => (label === `${name}-${number}` ? path : label.replace(/-\d+$/, '')));
  try {
    const { message, stack } = error;
    if (message.includes('data:text/')) error.message = short(message);
    if (stack?.includes('data:text/')) error.stack = short(stack);
  } catch {
    // A frozen error stays as it is.
  }
  const line = error.name === 'SyntaxError' ? /^[^\n]*:(\d+)\n/.exec(error.stack ?? '')?.[1] : undefined;
  return `${error.name}: ${short(String(error.message))}${line === undefined ? '' : ` (line ${line})`}`;
}
