// One namespace: what is open in it, and the rules of dlmopen() for opening and closing more (docs/namespace.md has them as a table).
//
// A load is a number. What it brings into the namespace is noted under that number until it is good; if it is not, whatever no other load
// needs is dropped, and the next request for one of these files is one for another path.

import { CoexistError, invalid } from '../abi/errors.js';
import { graphs } from '../host/graphs.js';
import { commonJsFor } from './exports.js';
import { createHandles, type Opened } from './handles.js';
import type { CheckedOpen } from './options.js';
import { BASE, type Entry, type NamespaceKind, slotOf } from './state.js';
import { labelOf } from './tags.js';
import type { ThreadGraphs } from './thread.js';
import type { Closed, Handle, NamespaceEvent, NamespaceInfo, Transform } from './types.js';

export interface Space {
  readonly id: number;
  readonly kind: NamespaceKind;
  readonly transform: Transform | undefined;
  open(options: CheckedOpen): Promise<Handle | null>;
  opensOf(path: string): number;
  info(): NamespaceInfo;
  onClose(finalizer: () => void): void;
  close(): Closed;
  isClosed(): boolean;
}

/** What a namespace does not do by itself. */
export interface SpaceContext {
  readonly thread: ThreadGraphs;
  tell(event: NamespaceEvent): void;
  warn(message: string): void;
  /** The namespace is gone; its number may be given out again. `link`: the last that its label had. */
  released(link: number): void;
}

let lastLoad = 0;
let lastQuestion = 0;

export function createSpace(
  id: number,
  kind: NamespaceKind,
  transform: Transform | undefined,
  context: SpaceContext,
): Space {
  const { thread, tell, warn } = context;
  const { state, tags, decisions } = thread;
  const { locked, emit } = thread.changes;
  const { opened, handOut, opens, opensOf } = createHandles(id, decisions.packages, tell, closeOne);
  const finalizers: (() => void)[] = [];
  let closed = false;
  /** Opens in flight. While there are some, the last closing leaves the namespace to them. */
  let opening = 0;
  /** The last opening has been closed, and something was in flight. */
  let vacated = false;

  function alive(): void {
    if (closed) {
      throw new CoexistError('COEXIST_EGONE', `namespace ${id} has been closed`, {
        found: id,
        expected: 'a namespace that is open',
        remedy: 'Open a new one.',
      });
    }
  }

  /** The file that a specifier leads to from a file, links followed; or the name of a module of the runtime's own. */
  async function resolve(specifier: string, from: string): Promise<string> {
    const parent = decisions.parse(from)?.path ?? from;
    const at = specifier.startsWith('file:') ? graphs.pathOf(specifier) : specifier;
    const request = (at === undefined ? undefined : decisions.parse(at)?.path) ?? specifier;
    if (graphs.isBuiltin(request)) return request.startsWith('node:') ? request : `node:${request}`;
    if (kind === 'closable') {
      return commonJsFor(decisions.packages, request, graphs.resolveRequire(graphs.pathOf(request) ?? request, parent));
    }
    const question = ++lastQuestion;
    await graphs.ask(question, request.startsWith('/') ? graphs.urlOf(request) : request, graphs.urlOf(parent));
    const url = locked(() => {
      const answer = state.resolved.get(question) ?? '';
      emit({ t: 'resolved', id: question, url: '' });
      return answer;
    });
    if (url.startsWith('node:')) return url;
    const path = graphs.pathOf(url);
    if (path === undefined)
      throw invalid('specifier', specifier, 'a file, or a module of the runtime', `It is ${url}.`);
    return path;
  }

  function exists(path: string): CoexistError {
    return new CoexistError(
      'COEXIST_EEXIST',
      `namespace ${id} has ${path} as a module of its own, and such a module cannot become a proxy`,
      {
        found: 'own',
        expected: 'a proxy, or nothing',
        remedy:
          'Open it shared before anything in this namespace imports it, isolate it again, or open another namespace.',
      },
    );
  }

  const isJson = (path: string): boolean => path.endsWith('.json');
  const tagged = (path: string, label: string): string => tags.tag(path, label);

  async function load(path: string, label: string): Promise<unknown> {
    if (kind === 'closable') return graphs.require(tagged(path, label));
    return graphs.import(graphs.urlOf(label === '' ? path : tagged(path, label)), isJson(path));
  }

  const loadBase = (path: string): Promise<unknown> =>
    graphs.import(path.startsWith('node:') ? path : graphs.urlOf(path), isJson(path));

  /** Of the base. What no hook has seen was imported before there were any. */
  function isLoaded(path: string): boolean {
    return (
      graphs.isRequired(path) ||
      locked(() => slotOf(state, BASE).entries.has(path)) ||
      graphs.isImported(graphs.urlOf(path))
    );
  }

  async function open(options: CheckedOpen): Promise<Handle | null> {
    alive();
    opening++;
    try {
      return await openNow(options);
    } finally {
      opening--;
      if (vacated) releaseIfEmpty();
    }
  }

  async function openNow({ specifier, shared, isolate, noload, from }: CheckedOpen): Promise<Handle | null> {
    locked(() => emit({ t: 'fresh' }));
    const target = await resolve(specifier, from);
    alive();
    if (target.startsWith('node:')) return handOut(target, id === BASE ? 'own' : 'proxy', await loadBase(target));
    const request = { specifier, importer: decisions.parse(from)?.path ?? from, target };
    if (id === BASE) return openInBase(request, noload);
    if (target.endsWith('.node') && isolate) {
      throw new CoexistError('COEXIST_EUNSUPPORTED', `${target} is a native addon, of which a process has one image`, {
        found: 'isolate',
        expected: 'an open without `isolate`',
        remedy: 'Open it shared: every namespace has a proxy of it anyway.',
      });
    }
    const unique = !isolate && (target.endsWith('.node') || locked(() => decisions.uniques.isUnique(target)));
    const own = locked(() => slotOf(state, id).entries.get(target));
    if (own?.kind === 'own' && (shared || unique)) throw exists(target);
    if (noload && own === undefined && unique && !isLoaded(target)) {
      // Another copy may stand for it, which is for the master to say; without one nothing is loaded.
      if ((state.masters.get(decisions.packages.of(target)?.name ?? '') ?? []).length === 0) return null;
    }
    const file = isolate || !unique ? undefined : locked(() => decisions.uniques.fileFor(request, false));
    const path = file === undefined || file === 'private' ? target : file;
    const wanted = shared || target.endsWith('.node') || (file !== undefined && file !== 'private');
    const there = locked(() => slotOf(state, id).entries.get(path));
    if (wanted && there?.kind === 'own') throw exists(path);
    if (wanted || there?.kind === 'proxy') return openProxy(path, there !== undefined, noload);
    return openOwn(path, isolate, noload);
  }

  async function openInBase(
    request: { specifier: string; importer: string; target: string },
    noload: boolean,
  ): Promise<Handle | null> {
    if (noload && !isLoaded(request.target)) {
      const pkg = decisions.packages.of(request.target);
      if (pkg === undefined || (state.masters.get(pkg.name) ?? []).length === 0) return null;
    }
    const file = locked(() => decisions.uniques.fileFor(request, true));
    const path = file === undefined || file === 'private' ? request.target : file;
    if (noload && path !== request.target && !isLoaded(path)) return null;
    return handOut(path, 'own', await loadBase(path));
  }

  async function openProxy(path: string, there: boolean, noload: boolean): Promise<Handle | null> {
    if (noload && !there && !isLoaded(path)) return null;
    const module = path.endsWith('.node') ? graphs.require(path) : await loadBase(path);
    alive();
    locked(() => {
      const now = slotOf(state, id).entries.get(path);
      if (now?.kind === 'own') throw exists(path);
      if (now === undefined) {
        emit({ t: 'entry', ns: id, path, kind: 'proxy', isolated: false, pending: undefined, by: undefined });
      } else emit({ t: 'need', ns: id, path, by: undefined });
    });
    return handOut(path, 'proxy', module);
  }

  async function openOwn(path: string, isolate: boolean, noload: boolean): Promise<Handle | null> {
    const number = ++lastLoad;
    const before = locked(() => slotOf(state, id).entries.get(path));
    if (noload && before === undefined) return null;
    const label = locked(() => {
      const slot = slotOf(state, id);
      const entry = slot.entries.get(path);
      if (entry !== undefined) {
        emit({ t: 'need', ns: id, path, by: [number] });
        return entry.label;
      }
      emit({ t: 'entry', ns: id, path, kind: 'own', isolated: isolate, pending: [number], by: undefined });
      return labelOf(id, slot.kind, slot.link);
    });
    try {
      const module = await load(path, label);
      locked(() => emit({ t: 'commit', ns: id, load: number }));
      alive();
      return handOut(path, 'own', module);
    } catch (error) {
      if (!closed) discard(path, label, number);
      tell({ type: 'failed', ns: id, path, error });
      throw error;
    }
  }

  /** What a failed load has brought, and nobody else needs, is as if it had never been there. */
  function discard(path: string, label: string, number: number): void {
    const dropped: Entry[] = [];
    locked(() => {
      const { entries } = slotOf(state, id);
      const before = [...entries.values()];
      emit({ t: 'abort', ns: id, load: number });
      dropped.push(...before.filter((entry) => !entries.has(entry.path)));
      // It failed behind somebody's import, who has it for good; a request for it by name may try again.
      const failed = entries.get(path);
      if (failed?.label === label && failed.pending === undefined && opensOf(path) === 0) {
        emit({ t: 'drop', ns: id, path });
      }
      const gone = before.filter((entry) => entry.kind === 'own' && !entries.has(entry.path));
      if (gone.length === 0) return;
      const files = new Set(gone.map((entry) => tagged(entry.path, entry.label)));
      graphs.forget((at) => files.has(at));
      if (kind === 'permanent') {
        const link = slotOf(state, id).link + 1;
        graphs.link(tags.root, labelOf(id, kind, link));
        emit({ t: 'link', ns: id, link });
      }
    });
    for (const entry of dropped) tell({ type: 'dropped', ns: id, path: entry.path });
  }

  function owned(): number {
    if (closed) return 0;
    return locked(() => [...slotOf(state, id).entries.values()].filter((entry) => entry.kind === 'own').length);
  }

  function closeOne(path: string, entry: Opened): Closed {
    if (entry.opens === 0) {
      throw new CoexistError('COEXIST_EUNREGISTERED', `${path} is not open in namespace ${id}`, {
        found: 0,
        expected: 'as many openings as closings',
        remedy: 'Close a handle once for each time that it was opened.',
      });
    }
    entry.opens--;
    tell({ type: 'closed', ns: id, path, opens: entry.opens });
    if (entry.opens === 0 && entry.kind === 'proxy') dropProxy(path);
    vacated = opens() === 0 && kind === 'closable';
    return releaseIfEmpty() ?? { released: false, retainedModules: owned() };
  }

  /** What the namespace's own modules import stays, or one that comes later would get another module than they have. */
  function dropProxy(path: string): void {
    opened.delete(path);
    if (closed) return;
    locked(() => {
      for (const { uses } of slotOf(state, id).entries.values()) if (uses.has(path)) return;
      emit({ t: 'drop', ns: id, path });
    });
  }

  function close(): Closed {
    if (closed) return { released: true, retainedModules: 0 };
    if (id === BASE) return { released: false, retainedModules: owned() };
    for (const [path, entry] of [...opened]) {
      if (entry.opens === 0) continue;
      entry.opens = 0;
      tell({ type: 'closed', ns: id, path, opens: 0 });
      if (entry.kind === 'proxy') dropProxy(path);
    }
    const retainedModules = owned();
    return kind === 'closable' || retainedModules === 0 ? release() : { released: false, retainedModules };
  }

  function releaseIfEmpty(): Closed | undefined {
    return vacated && !closed && opening === 0 && opens() === 0 ? release() : undefined;
  }

  function release(): Closed {
    for (let finalizer = finalizers.pop(); finalizer !== undefined; finalizer = finalizers.pop()) {
      try {
        finalizer();
      } catch (error) {
        warn(`a finalizer of namespace ${id} threw: ${String(error)}`);
      }
    }
    // A finalizer may have closed it.
    if (closed) return { released: true, retainedModules: 0 };
    closed = true;
    const { link } = locked(() => slotOf(state, id));
    locked(() => emit({ t: 'free', ns: id }));
    graphs.forget((at) => decisions.parse(at)?.ns === id);
    for (let old = 0; old <= link; old++) graphs.unlink(tags.root, labelOf(id, kind, old));
    for (const entry of opened.values()) if (entry.kind === 'own') entry.module = undefined;
    opened.clear();
    context.released(link);
    return { released: true, retainedModules: 0 };
  }

  return {
    id,
    kind,
    transform,
    open,
    opensOf,
    info: () => {
      alive();
      const modules = owned();
      const entries = locked(() => slotOf(state, id).entries.size);
      return { id, kind, opens: opens(), modules, proxies: entries - modules };
    },
    onClose(finalizer) {
      alive();
      if (typeof finalizer !== 'function') throw invalid('finalizer', finalizer, 'a function');
      if (kind !== 'closable') {
        throw new CoexistError('COEXIST_EUNSUPPORTED', `namespace ${id} is permanent, and never ends`, {
          found: kind,
          expected: 'closable',
          remedy: "Open the namespace with kind: 'closable'.",
        });
      }
      finalizers.push(finalizer);
    },
    close,
    isClosed: () => closed,
  };
}
