// What the thread knows of its namespaces: plain data, changed by events only. On Node 20 the thread of the module hooks has a second copy of
// it, which the same events keep alike (replica.ts).

import { CoexistError } from '../abi/errors.js';
import { labelOf } from './tags.js';

export const BASE = 0;
export const NEW = -1;

export type NamespaceKind = 'permanent' | 'closable';

/** A file that is present in a namespace: a module of its own, or a proxy of the base's. */
export interface Entry {
  readonly path: string;
  readonly kind: 'own' | 'proxy';
  /** Under which its tagged path is; of own entries. */
  readonly label: string;
  /** Whether it was loaded isolated, so that what it imports is, too. */
  readonly isolated: boolean;
  /** The loads in flight that need it, and nobody else so far; undefined once one of them was good. */
  pending: number[] | undefined;
}

export interface Slot {
  readonly kind: NamespaceKind;
  readonly entries: Map<string, Entry>;
  link: number;
}

export type UniquePolicy = 'throw' | 'warn' | 'private';

/** The copy of a unique package that stands for others. */
export interface Master {
  readonly name: string;
  readonly version: string;
  /** The package's directory. */
  readonly root: string;
}

/** What became of another copy of a unique package. */
export interface Merge extends Master {
  /** merged: into `into`. warned: likewise, though out of range. kept: it stays a copy of its own. */
  readonly outcome: 'merged' | 'warned' | 'kept';
  readonly into: Master;
  /** The package that asked for it, and the range that it declares. */
  readonly importer: string;
  readonly range: string;
}

export type StateEvent =
  | { readonly t: 'slot'; readonly ns: number; readonly kind: NamespaceKind; readonly link: number }
  | { readonly t: 'link'; readonly ns: number; readonly link: number }
  | { readonly t: 'free'; readonly ns: number }
  | {
      readonly t: 'entry';
      readonly ns: number;
      readonly path: string;
      readonly kind: 'own' | 'proxy';
      readonly isolated: boolean;
      readonly pending: readonly number[] | undefined;
    }
  | { readonly t: 'need'; readonly ns: number; readonly path: string; readonly by: readonly number[] | undefined }
  | { readonly t: 'drop'; readonly ns: number; readonly path: string }
  | { readonly t: 'commit' | 'abort'; readonly ns: number; readonly load: number }
  | { readonly t: 'unique'; readonly name: string; readonly policy: UniquePolicy; readonly highest: boolean }
  | { readonly t: 'master'; readonly master: Master }
  | { readonly t: 'merge'; readonly merge: Merge }
  /** The answer to a question of the main thread's: what a specifier resolves to. */
  | { readonly t: 'resolved'; readonly id: number; readonly url: string }
  /** What was read of packages may have changed on disk. */
  | { readonly t: 'fresh' }
  /** A module of the base that is looked for without loading it; '': none any more. */
  | { readonly t: 'probe'; readonly url: string };

export interface State {
  /** By number; [0] is the base's, whose entries are those that the hooks have seen. */
  readonly slots: (Slot | undefined)[];
  readonly uniques: Map<string, UniquePolicy>;
  /** Those of them whose masters are looked for in the tree, and not who comes first. */
  readonly highest: Set<string>;
  readonly masters: Map<string, Master[]>;
  readonly merges: Merge[];
  readonly resolved: Map<number, string>;
  probe: string;
  /** Counts the times that files may have changed. */
  fresh: number;
}

export function newState(): State {
  return {
    slots: [{ kind: 'permanent', entries: new Map(), link: 0 }],
    uniques: new Map(),
    highest: new Set(),
    masters: new Map(),
    merges: [],
    resolved: new Map(),
    probe: '',
    fresh: 0,
  };
}

/** The slot of a namespace that exists. */
export function slotOf(state: State, ns: number): Slot {
  const slot = state.slots[ns];
  if (slot === undefined) {
    throw new CoexistError('COEXIST_EGONE', `namespace ${ns} has been closed`, {
      found: ns,
      expected: 'a namespace that is open',
      remedy: 'Open a namespace of your own, and keep what runs in it from outliving it.',
    });
  }
  return slot;
}

/** The one way in which a state changes. */
export function apply(state: State, event: StateEvent): void {
  switch (event.t) {
    case 'slot':
      state.slots[event.ns] = { kind: event.kind, entries: new Map(), link: event.link };
      break;
    case 'link': {
      const slot = state.slots[event.ns];
      if (slot !== undefined) slot.link = event.link;
      break;
    }
    case 'free':
      state.slots[event.ns] = undefined;
      break;
    case 'entry': {
      const slot = state.slots[event.ns];
      const pending = event.pending === undefined ? undefined : [...event.pending];
      const { path, kind, isolated } = event;
      if (slot !== undefined)
        slot.entries.set(path, { path, kind, isolated, pending, label: labelOf(event.ns, slot.kind, slot.link) });
      break;
    }
    case 'need': {
      const entry = state.slots[event.ns]?.entries.get(event.path);
      if (entry?.pending === undefined) break;
      entry.pending = event.by === undefined ? undefined : [...new Set([...entry.pending, ...event.by])];
      break;
    }
    case 'drop':
      state.slots[event.ns]?.entries.delete(event.path);
      break;
    case 'commit':
      for (const entry of state.slots[event.ns]?.entries.values() ?? []) {
        if (entry.pending?.includes(event.load)) entry.pending = undefined;
      }
      break;
    case 'abort': {
      const entries = state.slots[event.ns]?.entries;
      for (const entry of entries?.values() ?? []) {
        if (!entry.pending?.includes(event.load)) continue;
        entry.pending = entry.pending.filter((load) => load !== event.load);
        if (entry.pending.length === 0) entries?.delete(entry.path);
      }
      break;
    }
    case 'unique':
      state.uniques.set(event.name, event.policy);
      if (event.highest) state.highest.add(event.name);
      else state.highest.delete(event.name);
      break;
    case 'master': {
      const masters = state.masters.get(event.master.name) ?? [];
      state.masters.set(event.master.name, [...masters, event.master]);
      break;
    }
    case 'merge':
      state.merges.push(event.merge);
      break;
    case 'resolved':
      state.resolved.set(event.id, event.url);
      break;
    case 'fresh':
      state.fresh++;
      break;
    case 'probe':
      state.probe = event.url;
      break;
  }
}
