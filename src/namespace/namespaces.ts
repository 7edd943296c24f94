// The namespaces of a thread: which numbers are taken, what is in them, and who is told.

import { CoexistError, invalid } from '../abi/errors.js';
import { graphs } from '../host/graphs.js';
import { process } from '../host/node/builtin.js';
import { compileClosable } from './closable.js';
import { checkNamespace, checkOpen, programHere } from './options.js';
import { createSpace, type Space } from './space.js';
import {
  BASE,
  type Entry,
  type Merge,
  type NamespaceKind,
  NEW,
  type StateEvent,
  slotOf,
  type UniquePolicy,
} from './state.js';
import { labelOf } from './tags.js';
import { graphsOfThread, onStateEvent, type ThreadGraphs } from './thread.js';
import type {
  Namespace,
  NamespaceEntry,
  NamespaceEvent,
  NamespaceOptions,
  OpenOptions,
  Transform,
  UniqueCopy,
  UniqueOptions,
} from './types.js';

/** What all copies of the library in a thread share. */
export interface Namespaces {
  readonly version: 1;
  openNamespace(options: NamespaceOptions): Namespace;
  /** The file is the caller's. */
  iterate(ns: number | undefined, caller: string | undefined): NamespaceEntry[];
  namespaceOf(place: string | URL): number;
  observe(observer: (event: NamespaceEvent) => void): () => void;
  unique(names: string | readonly string[], options: UniqueOptions): void;
  uniqueCopies(): UniqueCopy[];
}

type Listed = Pick<Entry, 'path' | 'kind' | 'label' | 'isolated'>;

export function createNamespaces(): Namespaces {
  const spaces = new Map<number, { readonly space: Space; readonly namespace: Namespace }>();
  const observers = new Set<(event: NamespaceEvent) => void>();
  /** The last links of numbers that permanent namespaces have had: what Node keeps of them, it keeps under these and earlier ones. */
  const links = new Map<number, number>();
  let reserved = 0;

  const warn = (message: string): void =>
    process.emitWarning(message, { type: 'CoexistWarning', code: 'COEXIST_ENAMESPACE' });

  function tell(event: NamespaceEvent): void {
    for (const observer of observers) {
      try {
        observer(event);
      } catch (error) {
        warn(`an observer of namespaces threw: ${String(error)}`);
      }
    }
  }

  onStateEvent((event) => {
    const told = eventOf(event);
    if (told !== undefined) tell(told);
    if (event.t === 'merge' && event.merge.outcome === 'warned') {
      const { importer, name, range, into } = event.merge;
      warn(`${importer} wants ${name} ${range}, and gets ${into.version}, of ${into.root}: ${name} is unique`);
    }
  });

  function start(): ThreadGraphs {
    const thread = graphsOfThread();
    if (!spaces.has(BASE)) add(thread, BASE, 'permanent', undefined, programHere());
    return thread;
  }

  function add(
    thread: ThreadGraphs,
    id: number,
    kind: NamespaceKind,
    transform: Transform | undefined,
    from: string,
  ): Namespace {
    const space = createSpace(id, kind, transform, {
      thread,
      tell,
      warn,
      released(link) {
        spaces.delete(id);
        if (kind === 'permanent') links.set(id, link);
        tell({ type: 'released', ns: id, kind });
      },
    });
    const namespace = viewOf(space, from);
    spaces.set(id, { space, namespace });
    return namespace;
  }

  /** Of several for one namespace, each resolves from a place of its own. */
  function viewOf(space: Space, from: string): Namespace {
    const { id, kind } = space;
    return {
      id,
      kind,
      open: (async (specifier: string | URL, given: OpenOptions = {}) =>
        space.open(checkOpen(id, specifier, given, from))) as Namespace['open'],
      info: () => space.info(),
      onClose: (finalizer) => space.onClose(finalizer),
      close: () => space.close(),
      [Symbol.dispose]: () => {
        space.close();
      },
    };
  }

  function openNamespace(given: NamespaceOptions): Namespace {
    const options = checkNamespace(given);
    const thread = start();
    const reserve = reservable(options.reserve);
    if (options.id !== NEW) {
      const there = spaces.get(options.id);
      if (there === undefined) {
        const expected = `one of ${[...spaces.keys()].sort((a, b) => a - b).join(', ')}, or NEW`;
        throw invalid('id', options.id, expected, 'There is no such namespace; NEW opens one.');
      }
      if (options.kind !== undefined && options.kind !== there.space.kind) {
        throw invalid('kind', options.kind, `'${there.space.kind}', as namespace ${options.id} is`);
      }
      if (options.transform !== undefined && options.transform !== there.space.transform) {
        throw invalid('transform', options.transform, `none: namespace ${options.id} has what it was opened with`);
      }
      reserved = reserve;
      return options.from === undefined ? there.namespace : viewOf(there.space, options.from);
    }
    let id = reserve + 1;
    while (spaces.has(id)) id++;
    if (id > options.limit) {
      throw new CoexistError(
        'COEXIST_EINVAL',
        `no more namespaces: every number up to ${options.limit} is open, or kept for tools`,
        {
          found: [...spaces.keys()].filter((number) => number !== BASE),
          expected: `a number up to ${options.limit} that is free`,
          remedy: 'Close closable namespaces, use one that is there, or raise `limit`.',
        },
      );
    }
    const kind = options.kind ?? 'permanent';
    if (kind === 'closable') compileClosable(thread, (ns) => spaces.get(ns)?.space.transform);
    const link = kind === 'permanent' ? (links.get(id) ?? -1) + 1 : 0;
    graphs.link(thread.tags.root, labelOf(id, kind, link));
    reserved = reserve;
    thread.changes.locked(() => thread.changes.emit({ t: 'slot', ns: id, kind, link }));
    const namespace = add(thread, id, kind, options.transform, options.from ?? programHere());
    tell({ type: 'created', ns: id, kind });
    return namespace;
  }

  /** How many numbers are reserved once this many are asked for. */
  function reservable(count: number): number {
    if (count <= reserved) return reserved;
    for (let id = reserved + 1; id <= count; id++) {
      if (spaces.has(id)) throw invalid('reserve', count, `${id - 1} at most, since namespace ${id} is open`);
    }
    return count;
  }

  function entryOf(thread: ThreadGraphs, ns: number, entry: Listed): NamespaceEntry {
    const pkg = thread.decisions.packages.of(entry.path);
    const at = ns === BASE || entry.kind === 'proxy' ? entry.path : thread.tags.tag(entry.path, entry.label);
    return {
      ns,
      realNs: entry.kind === 'proxy' ? BASE : ns,
      kind: entry.kind,
      path: entry.path,
      url: graphs.urlOf(at),
      package: pkg?.name,
      version: pkg === undefined || pkg.version === '' ? undefined : pkg.version,
      isolated: entry.isolated,
      opens: spaces.get(ns)?.space.opensOf(entry.path) ?? 0,
    };
  }

  return {
    version: 1,
    openNamespace,
    iterate(given, caller) {
      const thread = start();
      const here = (): number => (caller === undefined ? BASE : (thread.decisions.parse(caller)?.ns ?? BASE));
      const ns = given === undefined ? here() : given;
      if (!spaces.has(ns)) throw invalid('ns', given, 'the number of a namespace that is open');
      const listed: Listed[] = thread.changes.locked(() => [...slotOf(thread.state, ns).entries.values()]);
      if (ns === BASE) {
        const known = new Set(listed.map(({ path }) => path));
        for (const path of graphs.required()) {
          if (known.has(path) || thread.decisions.parse(path) !== undefined) continue;
          listed.push({ path, kind: 'own', label: '', isolated: false });
        }
      }
      return listed.map((entry) => entryOf(thread, ns, entry));
    },
    namespaceOf(place) {
      const text = place instanceof URL ? place.href : place;
      if (typeof text !== 'string') throw invalid('place', place, 'a path, or a file: URL');
      const path = text.startsWith('file:') ? graphs.pathOf(text) : text;
      return path === undefined ? BASE : (start().decisions.parse(path)?.ns ?? BASE);
    },
    observe(observer) {
      if (typeof observer !== 'function') throw invalid('observer', observer, 'a function');
      const mine = (event: NamespaceEvent): void => observer(event);
      observers.add(mine);
      return () => {
        observers.delete(mine);
      };
    },
    unique(names, { policy = 'throw', prefer = 'first' }) {
      const list = typeof names === 'string' ? [names] : names;
      if (!Array.isArray(list) || list.some((name) => typeof name !== 'string' || !PACKAGE.test(name))) {
        throw invalid('names', names, 'names of packages');
      }
      const policies: readonly UniquePolicy[] = ['throw', 'warn', 'private'];
      if (!policies.includes(policy)) throw invalid('policy', policy, policies.join(', '));
      if (prefer !== 'first' && prefer !== 'highest') throw invalid('prefer', prefer, "'first' or 'highest'");
      const { locked, emit } = start().changes;
      locked(() => {
        for (const name of list) emit({ t: 'unique', name, policy, highest: prefer === 'highest' });
      });
    },
    uniqueCopies() {
      const { state, changes } = start();
      return changes.locked(() => [
        ...[...state.masters.values()]
          .flat()
          .map((master): UniqueCopy => ({ ...master, outcome: 'master', into: undefined, importer: '', range: '' })),
        ...state.merges.map(copyOf),
      ]);
    },
  };
}

const PACKAGE = /^(?:@[^/@\s]+\/)?[^/@\s]+$/;

/** For others to keep. */
const copyOf = (merge: Merge): UniqueCopy => ({
  ...merge,
  into: { version: merge.into.version, root: merge.into.root },
});

function eventOf(event: StateEvent): NamespaceEvent | undefined {
  switch (event.t) {
    case 'entry':
      return { type: event.kind, ns: event.ns, path: event.path, isolated: event.isolated };
    case 'drop':
      return { type: 'dropped', ns: event.ns, path: event.path };
    case 'master':
      return { type: 'unique', copy: { ...event.master, outcome: 'master', into: undefined, importer: '', range: '' } };
    case 'merge':
      return { type: 'unique', copy: copyOf(event.merge) };
    default:
      return undefined;
  }
}
