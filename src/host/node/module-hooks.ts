// Node's hooks of import: one pair of functions, for module.registerHooks(), which calls them in the thread itself, and for
// module.register() on Node 20, which calls them in a thread of their own, where resolving is asynchronous.

import type { GraphDecisions } from '../graphs.js';
import { process } from './builtin.js';

const url = process.getBuiltinModule('node:url');

/** What `ask()` imports. It never loads. */
export const QUESTION = 'coexist-namespace:';
/** The error of a module that was only looked for. */
export const NOT_LOADED = 'COEXIST_NOT_LOADED';

interface ResolveContext {
  readonly conditions?: readonly string[];
  readonly parentURL?: string | undefined;
}
interface ResolveResult {
  readonly url: string;
}
type NextResolve = (specifier: string, context: ResolveContext) => ResolveResult | Promise<ResolveResult>;

export interface Question {
  readonly id: number;
  readonly specifier: string;
  readonly parent: string;
}

export const questionFor = (question: Question): string => QUESTION + encodeURIComponent(JSON.stringify(question));

export const pathOf = (at: string | undefined): string | undefined => {
  if (at?.startsWith('file:') !== true) return undefined;
  try {
    return url.fileURLToPath(at);
  } catch {
    return undefined;
  }
};

/** What an import of a path is an import of: a URL, in which `%`, `?` and `#` mean what they do in one. */
const absolute = (specifier: string): string => (specifier.startsWith('/') ? `file://${specifier}` : specifier);

/** The URL of a path, with the query and the fragment of another URL. */
const urlFor = (path: string, like: string): string => {
  const query = like.search(/[?#]/);
  return url.pathToFileURL(path).href + (query < 0 ? '' : like.slice(query));
};

/**
 * Without the mark of import-in-the-middle, which knows by the URL that it has marked what it is to wrap, and loads what it does not know as a
 * second instance.
 */
const unmarked = (at: string): string =>
  at.includes('iitm=') ? at.replace(/([?&])iitm=[^&#]*&?/, '$1').replace(/[?&](?=#|$)/, '') : at;

export function resolveWith(decisions: GraphDecisions) {
  /** What the base's own imports, the bulk in most programs, have resolved to: decided once. */
  const known = new Set<string>();
  return (specifier: string, context: ResolveContext, next: NextResolve): ResolveResult | Promise<ResolveResult> => {
    // Node resolves require() by Module._resolveFilename, which is patched. A program can add conditions (node -C require).
    if (context.conditions?.includes('require') === true && !context.conditions.includes('import'))
      return next(specifier, context);
    if (specifier.startsWith(QUESTION)) {
      const {
        id,
        specifier: asked,
        parent,
      } = JSON.parse(decodeURIComponent(specifier.slice(QUESTION.length))) as Question;
      const real = context.conditions === undefined ? { parentURL: parent } : { ...context, parentURL: parent };
      return then(next(asked, real), (result) => {
        decisions.answer(id, result.url);
        throw Object.assign(new Error('answered'), { code: NOT_LOADED });
      });
    }
    const disguised = decisions.mayBeDisguised(specifier) || decisions.mayBeDisguised(context.parentURL ?? '');
    const plain = !disguised && !decisions.concerns(specifier);
    const named = disguised && /^(?:\/|file:)/.test(specifier) ? pathOf(absolute(specifier)) : undefined;
    const asked = named === undefined ? undefined : decisions.parse(named);
    const importer = plain ? undefined : pathOf(context.parentURL);
    const from = importer === undefined || !disguised ? undefined : decisions.parse(importer);
    const ns = asked?.ns ?? from?.ns ?? 0;
    const decide = (result: ResolveResult): ResolveResult => {
      if (plain) {
        if (known.has(result.url)) return result;
        known.add(result.url);
      }
      const path = pathOf(result.url);
      if (path === undefined) return result;
      const target = decisions.parse(path)?.path ?? path;
      // Who asks for another namespace's file is no module of that one.
      const importerAt = asked === undefined || from?.ns === asked.ns ? importer : undefined;
      const asking = importerAt === undefined ? undefined : (from?.path ?? importerAt);
      const placed = decisions.place({ ns, specifier, importer: asking, importerAt, target, how: 'import' });
      return placed === path ? result : { ...result, url: unmarked(urlFor(placed, result.url)) };
    };
    const request = asked === undefined ? specifier : urlFor(asked.path, specifier);
    const real = from === undefined ? context : { ...context, parentURL: urlFor(from.path, context.parentURL ?? '') };
    return then(next(request, real), decide);
  };
}

function then<T, R>(value: T | Promise<T>, next: (value: T) => R): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
