// Where a file that a module asks for is to come from: the one decision of all hooks. It changes the state by events only.

import { CoexistError } from '../abi/errors.js';
import { BASE, type Entry, type State, type StateEvent } from './state.js';
import { labelOf, type Tags } from './tags.js';
import type { Uniques } from './unique.js';

/** A request that Node has resolved. */
export interface Asked {
  /** Of whoever asks, or of the tagged path that is asked for. */
  readonly ns: number;
  readonly specifier: string;
  /** The file that asks, without its tag; undefined where none does. */
  readonly importer: string | undefined;
  /** Real path that it resolves to. */
  readonly target: string;
  readonly how: 'import' | 'require';
}

export interface Places {
  /** The path to load: with a tag for a module of the namespace itself, without one for the base's. */
  place(asked: Asked): string;
}

export function createPlaces(state: State, tags: Tags, uniques: Uniques, emit: (event: StateEvent) => void): Places {
  function inBase({ specifier, importer, target, how }: Asked): string {
    const unique = uniques.concerns(specifier) ? uniques.fileFor({ specifier, importer, target }, true) : undefined;
    const file = unique === undefined || unique === 'private' ? target : unique;
    return master(file, how);
  }

  /** A file of the base. CommonJS has a cache that can be asked. */
  function master(file: string, how: Asked['how']): string {
    if (how === 'import' && !state.slots[BASE]?.entries.has(file)) note(BASE, file, 'own', false, undefined);
    return file;
  }

  function note(
    ns: number,
    path: string,
    kind: Entry['kind'],
    isolated: boolean,
    pending: readonly number[] | undefined,
  ): void {
    emit({ t: 'entry', ns, path, kind, isolated, pending });
  }

  function imported({ ns, how }: Asked, path: string): void {
    if (how === 'import' && state.slots[ns]?.entries.get(path)?.imported === false) emit({ t: 'imported', ns, path });
  }

  function own(asked: Asked, label: string): string {
    if (state.slots[asked.ns]?.kind === 'closable' && asked.how === 'import') {
      throw new CoexistError(
        'COEXIST_EUNSUPPORTED',
        `namespace ${asked.ns} can be closed, and import() of ${asked.target} would keep it in memory for good`,
        {
          found: `import of ${asked.specifier} from ${asked.importer ?? 'outside'}`,
          expected: 'require(), or a file of the base (shared, or of a unique package)',
          remedy: 'Require it, let the transformer turn import() into require(), or open the namespace as permanent.',
        },
      );
    }
    return tags.tag(asked.target, label);
  }

  return {
    place(asked) {
      const { ns, specifier, importer, target } = asked;
      const slot = state.slots[ns];
      if (ns === BASE) return inBase(asked);
      if (slot === undefined) {
        throw new CoexistError('COEXIST_EGONE', `namespace ${ns} has been closed`, {
          found: `${specifier} from ${importer ?? 'outside'}`,
          expected: 'a namespace that is open',
          remedy: 'Stop what runs in a namespace before it is closed.',
        });
      }
      const parent = importer === undefined ? undefined : slot.entries.get(importer);
      const there = slot.entries.get(target);
      if (there !== undefined) {
        // Whoever else needs a module keeps it, should the load fail that has brought it in.
        if (there.pending !== undefined && parent !== undefined && !sameLoads(parent.pending, there.pending)) {
          emit({ t: 'need', ns, path: target, by: parent.pending });
        }
        if (there.kind === 'proxy') return target;
        const path = own(asked, there.label);
        imported(asked, target);
        return path;
      }
      if (target.endsWith('.node')) {
        note(ns, target, 'proxy', false, parent?.pending);
        return target;
      }
      const isolated = parent?.isolated === true;
      const unique = isolated ? undefined : uniques.fileFor({ specifier, importer, target }, false);
      if (unique !== undefined && unique !== 'private') {
        const known = slot.entries.get(unique);
        if (known?.kind === 'own') return own({ ...asked, target: unique }, known.label);
        if (known === undefined) note(ns, unique, 'proxy', false, parent?.pending);
        return master(unique, asked.how);
      }
      const path = own(asked, labelOf(ns, slot.kind, slot.link));
      note(ns, target, 'own', isolated, parent?.pending);
      imported(asked, target);
      return path;
    },
  };
}

const sameLoads = (a: readonly number[] | undefined, b: readonly number[]): boolean =>
  a?.every((load) => b.includes(load)) ?? false;
