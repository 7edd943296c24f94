// Hints that a thread has ended: the exit events of this thread's own workers, and this thread's own exit. They see
// neither grandchildren nor the moment of death, so they only say when it is worth looking.

import { process, timers, workerThreads } from './builtin.js';

const KEY = Symbol.for('coexist.ends.v1');

export function onThreadEnd(listener: () => void): void {
  // One set of listeners per thread is enough for all copies: the first that comes installs it. The value is each copy's own,
  // since defining the same value again would succeed.
  if (!Reflect.defineProperty(workerThreads(), KEY, { value: listener })) return;
  let scheduled = false;
  const soon = (): void => {
    if (scheduled) return;
    scheduled = true;
    timers
      .setImmediate(() => {
        scheduled = false;
        listener();
      })
      .unref();
  };
  process.on('worker', (worker) => worker.once('exit', soon));
  if (!workerThreads().isMainThread) process.once('exit', listener);
}
