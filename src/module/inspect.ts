// The modules of the process as plain data (docs/ABI.md, clauses 72 and 73): which builds living threads have, where those threads are
// registered, and what the modules implement. Read without the lock and without an effect.

import { type AreaLike, coreFor } from '../area/current.js';
import { entriesOf } from '../area/directory.js';
import { host } from '../host/host.js';
import { readInterfaces } from './interface-word.js';
import { type EnteredBuild, type ModuleRow, readModule, recordAt } from './record.js';

/** A thread that has a module. */
export interface ModuleThread {
  /** The slot it is registered in, if it is. */
  readonly slot: number | undefined;
  /** The operating system's id of the thread, null where it is not known. */
  readonly osTid: number | null;
  /** false: it is being loaded. */
  readonly loaded: boolean;
}

/** A build of a module that living threads of the process have. */
export interface ProcessModule {
  readonly name: string;
  readonly fingerprint: string;
  /** How many builds have been entered under this name, up to this one. */
  readonly generation: number;
  /** Where it was found by the thread that entered it first; the last 1024 bytes. */
  readonly path: string;
  /** Of the registered threads that have it. */
  readonly slots: number[];
  readonly threads: ModuleThread[];
  /** Those that it was the last to begin to implement in the process. */
  readonly interfaces: { readonly name: string; readonly version: number; readonly generation: number }[];
}

/**
 * The modules that threads of this process have loaded, or are loading, in the order in which they were first known.
 * @throws as `attach()`
 * @since 0.1.0
 */
export function inspectModules(options?: { readonly area?: AreaLike | undefined }): ProcessModule[] {
  const core = coreFor(options?.area);
  const slots = new Map<bigint, number>();
  for (let i = 0, end = core.highWater(); i < end; i++) slots.set(Atomics.load(core.views.i64, core.ownerIndex(i)), i);
  const known = readInterfaces(core);
  const thread = ({ identity, loaded }: ModuleRow): ModuleThread => ({
    slot: slots.get(identity),
    osTid: host.osThreadId(identity) ?? null,
    loaded,
  });
  return entriesOf(core, 'module').flatMap((entry) => {
    const record = recordAt(core, entry);
    const { rows = [], ...build } = readModule(record) ?? {};
    const threads = rows.filter(({ alive }) => alive !== false).map(thread);
    if (threads.length === 0 || !('fingerprint' in build)) return [];
    return {
      name: record.name,
      ...build,
      slots: threads.flatMap(({ slot }) => slot ?? []),
      threads,
      interfaces: known.flatMap(({ module, ...rest }) => (module === entry.index ? rest : [])),
    };
  });
}

/**
 * Another build of a module that living threads have beside its own place, where nobody has any there: it is the process's then, though
 * it came in beside one.
 */
export function otherBeside(name: string, area: AreaLike | undefined, fingerprint: string): EnteredBuild | undefined {
  const core = coreFor(area);
  const records = entriesOf(core, 'module').map((entry) => recordAt(core, entry));
  const ofName = records.filter((record) => record.name === name);
  // Hardly ever; and whether threads live is the slow question.
  if (ofName.every(({ build }) => build === undefined)) return undefined;
  const living = ofName.flatMap((record) => {
    const found = readModule(record);
    return found?.rows.some(({ alive }) => alive !== false) ? [{ ...found, build: record.build }] : [];
  });
  if (living.some(({ build }) => build === undefined)) return undefined;
  return living.find((each) => each.fingerprint !== fingerprint);
}
