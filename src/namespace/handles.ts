// What is open in a namespace: one handle for each module, and how often it is.

import type { Packages } from './packages.js';
import { BASE } from './state.js';
import type { Closed, Handle, NamespaceEvent } from './types.js';

export interface Opened {
  readonly handle: Handle;
  readonly kind: 'own' | 'proxy';
  opens: number;
  module: unknown;
}

export interface Handles {
  /** By path. */
  readonly opened: Map<string, Opened>;
  /** Counts one more opening. */
  handOut(path: string, as: 'own' | 'proxy', module: unknown): Handle;
  opensOf(path: string): number;
  opens(): number;
}

export function createHandles(
  ns: number,
  packages: Packages,
  tell: (event: NamespaceEvent) => void,
  closeOne: (path: string, entry: Opened) => Closed,
): Handles {
  const opened = new Map<string, Opened>();

  function newOpened(path: string, as: 'own' | 'proxy', module: unknown): Opened {
    const pkg = path.startsWith('node:') ? undefined : packages.of(path);
    const entry: Opened = {
      kind: as,
      opens: 0,
      module,
      handle: {
        ns,
        realNs: as === 'proxy' ? BASE : ns,
        kind: as,
        path,
        package: pkg?.name,
        version: pkg === undefined || pkg.version === '' ? undefined : pkg.version,
        get module() {
          return entry.module;
        },
        get opens() {
          return entry.opens;
        },
        close: () => closeOne(path, entry),
        [Symbol.dispose]: () => {
          if (entry.opens > 0) closeOne(path, entry);
        },
      },
    };
    return entry;
  }

  return {
    opened,
    handOut(path, as, module) {
      const entry = opened.get(path) ?? newOpened(path, as, module);
      entry.opens++;
      entry.module = module;
      opened.set(path, entry);
      tell({ type: 'opened', ns, path, opens: entry.opens });
      return entry.handle;
    },
    opensOf: (path) => opened.get(path)?.opens ?? 0,
    opens: () => [...opened.values()].reduce((sum, entry) => sum + entry.opens, 0),
  };
}
