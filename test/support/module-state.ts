// All that a load could change in its thread and in the process, as plain data to be compared, found by the contract (clauses 72 and 74)
// and not by the library.

import { inspectModules } from 'coexist/module';
import type { TestHost } from './loaders.js';

interface Anchor {
  readonly areas: ReadonlyMap<number, ReadonlyMap<string, unknown>>;
  readonly interfaces: ReadonlyMap<string, unknown>;
  readonly builtin: readonly unknown[];
  readonly evaluating: readonly unknown[];
  readonly shims: ReadonlyMap<number, unknown>;
  readonly holds: ReadonlyMap<string, number>;
}

export function everything({ area, loader }: TestHost): unknown {
  const threads = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, Anchor>;
  const { areas, interfaces, builtin, evaluating, shims, holds } = threads[Symbol.for('coexist.modules.v1')] as Anchor;
  const inspected = area.inspect();
  return {
    modules: [...(areas.get(area.id)?.keys() ?? [])],
    interfaces: [...interfaces.keys()],
    lengths: [areas.size, builtin.length, evaluating.length, shims.size, holds.size],
    list: loader.list(),
    process: inspectModules({ area }),
    slots: inspected.slots,
  };
}
