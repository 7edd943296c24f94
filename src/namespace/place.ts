// Where a file that a module asks for is to come from: the one decision of all hooks. It changes the state by events only.

import { CoexistError } from '../abi/errors.js';
import type { Resolved } from '../host/graphs.js';
import { BASE, type Entry, type State, type StateEvent } from './state.js';
import { labelOf, linkOf, type Tags } from './tags.js';
import type { Uniques } from './unique.js';

export interface Places {
  /** The path to load: with a tag for a module of the namespace itself, without one for the base's. */
  place(asked: Resolved): string;
}

export function createPlaces(state: State, tags: Tags, uniques: Uniques, emit: (event: StateEvent) => void): Places {
  function inBase({ specifier, importer, target, how }: Resolved): string {
    const unique = uniques.concerns(specifier) ? uniques.fileFor({ specifier, importer, target }, true) : undefined;
    const file = unique === undefined || unique === 'private' ? target : unique;
    noteInBase(file, how);
    return file;
  }

  function noteInBase(file: string, how: Resolved['how']): void {
    // CommonJS has a cache that can be asked.
    if (how === 'import' && !state.slots[BASE]?.entries.has(file)) note(BASE, file, 'own', false, undefined, undefined);
  }

  function note(
    ns: number,
    path: string,
    kind: Entry['kind'],
    isolated: boolean,
    pending: readonly number[] | undefined,
    by: string | undefined,
  ): void {
    emit({ t: 'entry', ns, path, kind, isolated, pending, by });
  }

  function imported({ ns, how }: Resolved, path: string): void {
    if (how === 'import' && state.slots[ns]?.entries.get(path)?.imported === false) emit({ t: 'imported', ns, path });
  }

  function own(asked: Resolved, label: string): string {
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
      const from = asked.importerAt === undefined ? undefined : tags.parse(asked.importerAt)?.label;
      if (slot === undefined || (from !== undefined && slot.kind === 'permanent' && linkOf(from) < slot.first)) {
        throw new CoexistError('COEXIST_EGONE', `namespace ${ns} has been closed`, {
          found: `${specifier} from ${importer ?? 'outside'}`,
          expected: 'a namespace that is open',
          remedy: 'Stop what runs in a namespace before it is closed.',
        });
      }
      const stray = from !== undefined && slot.strays.has(from + importer);
      const parent = importer === undefined || stray ? undefined : slot.entries.get(importer);
      const by = parent?.path;
      const there = slot.entries.get(target);
      if (there !== undefined && !(stray && slot.strays.has(from + target))) {
        // Whoever else needs a module keeps it, should the load fail that has brought it in, or its last opening be closed.
        if (by !== undefined && !parent?.uses.has(target)) emit({ t: 'use', ns, path: target, by });
        if (there.kind === 'proxy') return target;
        const path = own(asked, there.label);
        imported(asked, target);
        return path;
      }
      if (target.endsWith('.node')) {
        if (!stray) note(ns, target, 'proxy', false, parent?.pending, by);
        return target;
      }
      const isolated = parent?.isolated === true;
      const unique = isolated ? undefined : uniques.fileFor({ specifier, importer, target }, false);
      if (unique !== undefined && unique !== 'private') {
        const known = slot.entries.get(unique);
        if (known?.kind !== 'own') noteInBase(unique, asked.how);
        if (known === undefined && !stray) note(ns, unique, 'proxy', false, parent?.pending, by);
        else if (known !== undefined && by !== undefined && !parent?.uses.has(unique))
          emit({ t: 'use', ns, path: unique, by });
        return known?.kind === 'own' ? own({ ...asked, target: unique }, known.label) : unique;
      }
      if (stray) {
        // What a failed load goes on to load stays apart with it.
        emit({ t: 'stray', ns, label: from, path: target });
        return own(asked, from);
      }
      const path = own(asked, labelOf(ns, slot.kind, slot.link));
      note(ns, target, 'own', isolated, parent?.pending, by);
      imported(asked, target);
      return path;
    },
  };
}
