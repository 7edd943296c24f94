// What a manifest lists and what this thread and the process have of it, as plain data.

import { inspectModules } from './inspect.js';
import type { ManifestModule } from './manifest.js';
import type { Settings } from './options.js';
import { mayLoad } from './plan.js';
import { moduleOf } from './registry.js';
import type { ThreadModule } from './thread-state.js';

type Declared = Pick<
  ManifestModule,
  'name' | 'fingerprint' | 'objects' | 'options' | 'depends' | 'targets' | 'interfaces'
>;

export interface ModuleListing extends Declared {
  /** In this thread. */
  readonly state: 'loaded' | 'loading' | 'unloaded';
  /** Whether this loader may load it. */
  readonly allowed: boolean;
  /** Of the file that was loaded, or is being. */
  readonly path?: string;
  /** Of the module in the process, if this thread has it loaded. */
  readonly generation?: number;
  /** Of threads that have this build of it loaded. */
  readonly slots: readonly number[];
}

export function listModules(settings: Settings, modules: ReadonlyMap<string, ThreadModule>): ModuleListing[] {
  const present = inspectModules({ area: settings.area });
  return settings.manifest.modules.map((entry) => {
    const { name, fingerprint, objects, options, depends, targets, interfaces } = entry;
    const here = moduleOf(modules, name, settings.fingerprint);
    const same = present.filter((each) => each.name === name && each.fingerprint === settings.fingerprint);
    const threads = same.flatMap((each) => each.threads).filter(({ loaded }) => loaded);
    return {
      name,
      state: here === undefined || here.state === 'failed' ? 'unloaded' : here.state,
      allowed: mayLoad(settings, entry),
      ...(here === undefined || here.path === '' ? {} : { path: here.path }),
      fingerprint,
      objects,
      options,
      depends,
      targets,
      interfaces,
      ...(here?.state === 'loaded' ? { generation: here.generation } : {}),
      slots: threads.flatMap(({ slot }) => slot ?? []),
    };
  });
}
