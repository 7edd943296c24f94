// Node's resolution of require(): Module._resolveFilename, undocumented and patched by many for as long as there is Node. Whoever patched it
// before is asked as before; whoever patches it later sees disguised paths as results.

import type { CompileAsCommonJs, GraphDecisions } from '../graphs.js';
import { process } from './builtin.js';

const path = process.getBuiltinModule('node:path');

/** What is used of Node's class Module beyond its types. */
interface ModuleInternals {
  _resolveFilename(request: unknown, parent: NodeModule | null | undefined, isMain: boolean, options?: unknown): string;
  _load(request: unknown, parent: NodeModule | null | undefined, isMain: boolean): unknown;
  _nodeModulePaths(from: string): string[];
  readonly _cache: Record<string, NodeModule>;
  readonly prototype: { load(this: NodeModule, filename: string): void };
}
interface Compiling {
  _compile(text: string, filename: string, format?: string): unknown;
}

const nodeModule = process.getBuiltinModule('node:module');
const Module = nodeModule.Module as unknown as ModuleInternals;

/** The path that is being loaded: it has been decided about. */
let decided: string | undefined;

export function patchResolution(decisions: GraphDecisions): void {
  const before = Module._resolveFilename;
  /** What requests from a directory have resolved to, links followed: as in Module._load, it counts for what is loaded. */
  const found = new Map<string, string>();

  Module._resolveFilename = function resolveFilename(request, parent, isMain, options) {
    if (decided !== undefined && request === decided) {
      decided = undefined;
      return request as string;
    }
    if (typeof request !== 'string' || nodeModule.isBuiltin(request)) {
      return Reflect.apply(before, this, [request, parent, isMain, options]);
    }
    const asked = decisions.mayBeDisguised(request) ? decisions.parse(request) : undefined;
    const importer = typeof parent?.filename === 'string' ? parent.filename : undefined;
    const from = importer === undefined || !decisions.mayBeDisguised(importer) ? undefined : decisions.parse(importer);
    const ns = asked?.ns ?? from?.ns ?? 0;
    // Who asks for another namespace's file is no module of that one.
    const importerAt = asked === undefined || from?.ns === asked.ns ? importer : undefined;
    const place = (target: string): string =>
      decisions.place({
        ns,
        specifier: request,
        importer: importerAt === undefined ? undefined : (from?.path ?? importerAt),
        importerAt,
        target: decisions.mayBeDisguised(target) ? (decisions.parse(target)?.path ?? target) : target,
        how: 'require',
      });
    const key =
      from === undefined || asked !== undefined || options !== undefined
        ? undefined
        : `${path.dirname(from.path)}\0${request}`;
    const known = key === undefined ? undefined : found.get(key);
    if (known !== undefined && importer !== undefined && from !== undefined) {
      const disguise = importer.slice(0, importer.length - from.path.length);
      if (isRequired(disguise + known) || isRequired(known)) return place(known);
    }
    const target = Reflect.apply(before, this, [
      asked?.path ?? request,
      from === undefined ? parent : undisguised(parent as NodeModule, from.path),
      isMain,
      ns === 0 ? options : realPaths(options, decisions),
    ]) as string;
    if (!path.isAbsolute(target) || (ns === 0 && !decisions.concerns(request))) return target;
    if (key !== undefined) found.set(key, target);
    return place(target);
  };
}

/** The module that asks, as resolution sees it: where its file really is. Directories that somebody has put on its list stay on it. */
function undisguised(parent: NodeModule, real: string): NodeModule {
  return Object.create(parent, {
    id: { value: real },
    filename: { value: real },
    path: { value: path.dirname(real) },
    // Only what is asked for by name is looked for in them.
    paths: {
      get(): string[] {
        const usual = new Set(Module._nodeModulePaths(path.dirname(parent.filename)));
        const added = (parent.paths ?? []).filter((dir) => !usual.has(dir));
        return [...Module._nodeModulePaths(path.dirname(real)), ...added];
      },
    },
  }) as NodeModule;
}

/** Of require.resolve(request, { paths }). */
function realPaths(options: unknown, decisions: GraphDecisions): unknown {
  const { paths } = (options ?? {}) as { paths?: unknown };
  if (!Array.isArray(paths)) return options;
  return {
    ...(options as object),
    paths: paths.map((at: unknown) => (typeof at === 'string' ? (decisions.parse(at)?.path ?? at) : at)),
  };
}

/**
 * Module._load keeps what a request from a directory led to, and does not resolve it again: wrong where another namespace has this
 * directory's path now, and nobody would hear of who else needs a module. With a path as the request there is nothing to keep.
 */
export function patchLoading(decisions: GraphDecisions): void {
  const load = Module._load;
  Module._load = function _load(request, parent, isMain) {
    const disguised = typeof parent?.filename === 'string' && decisions.mayBeDisguised(parent.filename);
    if (!disguised || typeof request !== 'string' || nodeModule.isBuiltin(request)) {
      return Reflect.apply(load, this, [request, parent, isMain]);
    }
    const at = Module._resolveFilename(request, parent, isMain);
    // Asked for again before anything of the file runs.
    decided = at;
    try {
      return Reflect.apply(load, this, [at, parent, isMain]);
    } finally {
      decided = undefined;
    }
  };
}

export function patchCompiling({ textFor }: CompileAsCommonJs): void {
  const { load: loadFile } = Module.prototype;
  Module.prototype.load = function loadAs(filename) {
    const text = textFor(filename);
    if (text === undefined) return Reflect.apply(loadFile, this, [filename]);
    this.filename = filename;
    this.paths = Module._nodeModulePaths(path.dirname(filename));
    (this as unknown as Compiling)._compile(text, filename, 'commonjs');
    this.loaded = true;
  };
}

/** Before a text is compiled: it is an ES module's. */
export function patchCompilingOfModules(check: (path: string, source: string) => void): void {
  const prototype = Module.prototype as unknown as Compiling;
  const { _compile: before } = prototype;
  prototype._compile = function _compile(text, filename, format) {
    if (format === 'module' || (format === undefined && typeof text === 'string' && IMPORTS.test(text))) {
      check(filename, String(text));
    }
    return Reflect.apply(before, this, [text, filename, format]);
  };
}

/** Whether a text may have static imports, where nothing says what it is. */
const IMPORTS = /^\s*(?:import|export)\b/m;

export const isRequired = (at: string): boolean => Object.hasOwn(Module._cache, at);

export const required = (): readonly string[] => Object.keys(Module._cache);

export function forget(which: (at: string) => boolean): void {
  const gone = new Set<NodeModule>();
  for (const [at, module] of Object.entries(Module._cache)) {
    if (!which(at)) continue;
    gone.add(module);
    delete Module._cache[at];
  }
  if (gone.size === 0) return;
  for (const module of Object.values(Module._cache)) {
    // Whoever was first required by one keeps it as its parent, and whoever required one first in its list.
    if (gone.has(module.parent as NodeModule)) Object.assign(module, { parent: undefined });
    const { children } = module;
    if (!children.some((child) => gone.has(child))) continue;
    children.splice(0, children.length, ...children.filter((child) => !gone.has(child)));
  }
}

export function resolveRequire(specifier: string, parent: string): string {
  return nodeModule.createRequire(parent).resolve(specifier);
}

export function requirePath(at: string): unknown {
  // From nowhere, so that nobody's list of children keeps it.
  return Module._load(at, undefined, false);
}
