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
  /** Whether an import has asked for it. */
  imported: boolean;
  /** The loads in flight that need it, and nobody else so far; undefined once one of them was good. */
  pending: number[] | undefined;
  /** What it has asked for: paths of entries. A proxy outlives its openings where something uses it. */
  readonly uses: Set<string>;
}

export interface Slot {
  readonly kind: NamespaceKind;
  readonly entries: Map<string, Entry>;
  /** Of a permanent one: label and path of what failed loads have left running, which belongs to the namespace no more. */
  readonly strays: Set<string>;
  /** Its label's first link. */
  readonly first: number;
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
      /** The entry that asks for it; undefined where none does. */
      readonly by: string | undefined;
    }
  /** An entry asks for one that is there. */
  | { readonly t: 'use'; readonly ns: number; readonly path: string; readonly by: string }
  | { readonly t: 'stray'; readonly ns: number; readonly label: string; readonly path: string }
  | { readonly t: 'need'; readonly ns: number; readonly path: string; readonly by: readonly number[] | undefined }
  | { readonly t: 'imported'; readonly ns: number; readonly path: string }
  | { readonly t: 'drop'; readonly ns: number; readonly path: string }
  | { readonly t: 'commit' | 'abort'; readonly ns: number; readonly load: number }
  | { readonly t: 'unique'; readonly name: string; readonly policy: UniquePolicy; readonly highest: boolean }
  | { readonly t: 'master'; readonly master: Master }
  | { readonly t: 'merge'; readonly merge: Merge }
  | { readonly t: 'file'; readonly identity: string; readonly path: string }
  /** The answer to a question of the main thread's: what a specifier resolves to; '': it has been read. */
  | { readonly t: 'resolved'; readonly id: number; readonly url: string }
  /** What was read of packages may have changed on disk. */
  | { readonly t: 'fresh' };

export interface State {
  /** By number; [0] is the base's, whose entries are those that the hooks have seen. */
  readonly slots: (Slot | undefined)[];
  readonly uniques: Map<string, UniquePolicy>;
  /** Those of them whose masters are looked for in the tree, and not who comes first. */
  readonly highest: Set<string>;
  readonly masters: Map<string, Master[]>;
  readonly merges: Merge[];
  /** Files of masters that were asked for, by device and inode. */
  readonly files: Map<string, string>;
  readonly resolved: Map<number, string>;
  /** Counts the times that files may have changed. */
  fresh: number;
}

export function newState(): State {
  return {
    slots: [newSlot('permanent', 0)],
    uniques: new Map(),
    highest: new Set(),
    masters: new Map(),
    merges: [],
    files: new Map(),
    resolved: new Map(),
    fresh: 0,
  };
}

function newSlot(kind: NamespaceKind, link: number): Slot {
  return { kind, entries: new Map(), strays: new Set(), first: link, link };
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
      state.slots[event.ns] = newSlot(event.kind, event.link);
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
      if (slot === undefined) break;
      const label = labelOf(event.ns, slot.kind, slot.link);
      slot.entries.set(path, { path, kind, isolated, imported: false, pending, label, uses: new Set() });
      if (event.by !== undefined) slot.entries.get(event.by)?.uses.add(path);
      break;
    }
    case 'use': {
      const entries = state.slots[event.ns]?.entries;
      const user = entries?.get(event.by);
      user?.uses.add(event.path);
      need(entries, event.path, user?.pending);
      break;
    }
    case 'stray':
      state.slots[event.ns]?.strays.add(event.label + event.path);
      break;
    case 'need':
      need(state.slots[event.ns]?.entries, event.path, event.by);
      break;
    case 'imported': {
      const entry = state.slots[event.ns]?.entries.get(event.path);
      if (entry !== undefined) entry.imported = true;
      break;
    }
    case 'drop':
      drop(state.slots[event.ns], event.path);
      break;
    case 'commit':
      for (const entry of state.slots[event.ns]?.entries.values() ?? []) {
        if (entry.pending?.includes(event.load)) entry.pending = undefined;
      }
      break;
    case 'abort': {
      const slot = state.slots[event.ns];
      for (const entry of slot?.entries.values() ?? []) {
        if (!entry.pending?.includes(event.load)) continue;
        entry.pending = entry.pending.filter((load) => load !== event.load);
        if (entry.pending.length === 0) drop(slot, entry.path);
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
    case 'file':
      state.files.set(event.identity, event.path);
      break;
    case 'resolved':
      if (event.url === '') state.resolved.delete(event.id);
      else state.resolved.set(event.id, event.url);
      break;
    case 'fresh':
      state.fresh++;
      break;
  }
}

/** Notes that these loads need an entry, or for good that it is needed, and with it all that it has asked for. */
function need(entries: Slot['entries'] | undefined, path: string, by: readonly number[] | undefined): void {
  const paths = [path];
  for (let at = paths.pop(); at !== undefined; at = paths.pop()) {
    const entry = entries?.get(at);
    if (entry?.pending === undefined || by?.every((load) => entry.pending?.includes(load)) === true) continue;
    entry.pending = by === undefined ? undefined : [...new Set([...entry.pending, ...by])];
    paths.push(...entry.uses);
  }
}

function drop(slot: Slot | undefined, path: string): void {
  const entry = slot?.entries.get(path);
  if (slot === undefined || entry === undefined) return;
  slot.entries.delete(path);
  // The next one of a closable namespace has the same label.
  if (entry.kind === 'own' && slot.kind === 'permanent') slot.strays.add(entry.label + path);
}
