// Faults in the use of modules, planted by one thread, so that the tests see that the checks of stress topic module can fail: each does what a
// broken implementation would do.

import { createRequire } from 'node:module';
import { MODULES_KEY } from 'coexist/abi';
import type { ThreadContext } from './stress-data-topic.js';
import { faceOf, MODULES } from './stress-module-files.js';
import type { Instances } from './stress-module-notes.js';

// The namespace of an import has no symbols that were put onto the exports later.
const threads = createRequire(import.meta.url)('node:worker_threads') as object;

/** What the functions of an interface reach: the prototype of one object (src/module/table.ts). */
interface Patched {
  readonly current: { readonly calls: readonly (() => number)[] };
}

const switchTo = ({ current }: Patched, calls: readonly (() => number)[]): unknown =>
  Object.setPrototypeOf(current, { ...Object.getPrototypeOf(current), calls });

/** Of this thread, by the anchor that its copies share them by (docs/ABI.md, clause 74). */
function interfaces(): Map<string, unknown> {
  const { [Symbol.for(MODULES_KEY)]: modules } = threads as unknown as Record<
    symbol,
    { interfaces: Map<string, unknown> }
  >;
  return modules!.interfaces;
}

/** Returns whether that was all: it needs a module that this thread has. */
export async function plantModuleFault(
  fault: string,
  { me, ledger }: ThreadContext,
  instances: Instances,
): Promise<boolean> {
  const k = MODULES.findIndex((name) => instances.buildOf(name) !== undefined);
  const name = MODULES[k];
  if (name === undefined) return false;
  const face = (of: string): Patched => interfaces().get(faceOf(of)) as Patched;
  switch (fault) {
    case 'initialised-twice':
      await instances.once(name);
      break;
    case 'half-patched':
      switchTo(
        face(name),
        face(name).current.calls.with(1, () => -1),
      );
      break;
    case 'left-patched':
      switchTo(face('throws'), face(name).current.calls);
      break;
    case 'two-builds':
      ledger.keep(me, k, 2 - (instances.buildOf(name) as number));
      break;
    case 'row-kept':
      ledger.keep(me, k, 0);
      // At every turn: a load would note it again.
      return false;
    default:
      // One of the library's.
      return true;
  }
  return true;
}
