// What the creator of a hosted instance does for it (docs/ABI.md, clause 69): serves its channel from before it lives, and ends it, once,
// when nobody holds it any more. Every declaration of the key in this thread and copy finds the instance here.

import { HOSTED_PREFIX } from '../abi/singleton.js';
import type { AreaCore } from '../area/core.js';
import { bellsOf } from '../call/bell.js';
import type { CallContext } from '../call/context.js';
import { serve } from '../call/server.js';
import { dispose } from '../host/dispose.js';
import { host } from '../host/host.js';
import type { Area } from '../thread/area.js';
import { register } from '../thread/registration.js';
import type { HostedMethods } from './hosted-reference.js';
import type { Machine } from './machine.js';

/** An instance that was made in this thread and copy. */
export interface Hosting {
  readonly word: number;
  readonly instance: unknown;
  readonly epoch: number;
  /** Finalizes the instance if nobody holds it any more; passes on what the finalizer throws at once. */
  end(): void;
}

export interface Hosted<T> {
  readonly methods?: HostedMethods<T> | undefined;
  readonly finalize?: ((instance: T) => void | Promise<void>) | undefined;
  readonly cells?: number | undefined;
  readonly cellBytes?: number | undefined;
  readonly area?: Area | undefined;
}

const hostings = new WeakMap<AreaCore, Map<string, Hosting>>();

/** The instance of this key, if this thread and copy hosts it. */
export const hostingOf = ({ record }: Machine): Hosting | undefined => hostings.get(record.core)?.get(record.key);

export function warnOfFinalizer({ record }: Machine, error: unknown): void {
  host.warn(`the finalizer of ${record.place.label} threw: ${String(error)}`, 'COEXIST_EFAILED');
}

/**
 * Serves an instance that this thread has made; it is not LIVE yet.
 * @throws as `serve()`; nothing is served then
 */
export function beginHosting<T>(machine: Machine, word: number, instance: T, hosted: Hosted<T>): Hosting {
  const { core, key } = machine.record;
  const { methods = {}, finalize, cells, cellBytes, area } = hosted;
  /** Methods of the instance that are on the stack now. */
  let depth = 0;
  let over = false;

  const served: { [name: string]: (this: CallContext, ...args: never[]) => unknown } = {};
  for (const [name, method] of Object.entries(methods)) {
    served[name] = function (this: CallContext, ...args: never[]): unknown {
      depth++;
      try {
        return method.call(this, instance, ...args);
      } finally {
        depth--;
        if (depth === 0 && machine.isDying(word)) host.soon(endQuietly);
      }
    };
  }

  // Not below a method of the instance: what runs there uses it still.
  function end(): void {
    const ending = over || depth > 0 || !machine.isDying(word) ? 0 : machine.beginEnding(word);
    if (ending === 0) return;
    over = true;
    hostings.get(core)?.delete(key);
    let finalizing: unknown;
    try {
      unattend();
      server.close();
      registration[dispose]();
      finalizing = finalize?.(instance);
    } catch (error) {
      machine.finalized(ending);
      throw error;
    }
    if (typeof (finalizing as PromiseLike<void> | undefined)?.then !== 'function') {
      machine.finalized(ending);
      return;
    }
    (finalizing as Promise<void>)
      .then(undefined, (error: unknown) => warnOfFinalizer(machine, error))
      .then(() => machine.finalized(ending));
  }

  function endQuietly(): void {
    try {
      end();
    } catch (error) {
      warnOfFinalizer(machine, error);
    }
  }

  // What only waits for work keeps no thread alive.
  const server = serve(HOSTED_PREFIX + key, served, { cells, cellBytes, area }).unref();
  const registration = register({ area });
  const whenRung = (): boolean => {
    // From the event loop: nothing is on the stack; what a vm timeout has cut was.
    depth = 0;
    endQuietly();
    return false;
  };
  const unattend = bellsOf(core).attend(registration.slot, whenRung, endQuietly);
  const hosting: Hosting = { word, instance, epoch: server.epoch, end };
  let byKey = hostings.get(core);
  if (byKey === undefined) {
    byKey = new Map();
    hostings.set(core, byKey);
  }
  byKey.set(key, hosting);
  return hosting;
}
