// The inspector bridge: a session from a worker to the main thread, whose interrupt runs an expression there even while
// main is busy or blocked in Atomics.wait. The debugger domain is never enabled, so main is never paused. A session that
// stayed connected would hold the process at its exit ("Waiting for the debugger to disconnect...").

import type { Evaluation } from '../host.js';
import { process } from './builtin.js';
import { now } from './clock.js';

/** How long main may go on posting to the thread of a session that was ended, in ms. */
const SETTLE_MS = 20;
/** Blocks a thread that main may be about to post to, in ms; the usual post has come by then. */
const PAUSE_MS = 1;

export function bridgeRefusal(): string | undefined {
  if (process.env['COEXIST_NO_INSPECTOR'] === '1') {
    return 'the inspector bridge is switched off (COEXIST_NO_INSPECTOR=1)';
  }
  // Exists only under the permission model. Older versions know no permission for the inspector, and refuse it always.
  if (process.permission !== undefined && !process.permission.has('inspector')) {
    return 'the inspector bridge is refused by the permission model';
  }
  return undefined;
}

export function evaluateInMain(expression: string): Evaluation {
  const inspector = process.getBuiltinModule('node:inspector');
  if (inspector === undefined) throw new Error('this Node has no inspector');
  const session = new inspector.Session();
  session.connectToMainThread();
  let connected = true;
  const end = (): void => {
    if (!connected) return;
    connected = false;
    session.disconnect();
    linger();
  };
  try {
    session.post('Runtime.evaluate', { expression, silent: true });
  } catch (error) {
    end();
    throw error;
  }
  return { end };
}

// Main answers a disconnect by posting to this thread once more. Where that falls into the last moments of the thread, Node
// aborts the whole process (MainThreadInterface::Post takes a reference to what is being destroyed; seen in 20 to 26). So the
// thread pauses, and does not exit before main has had its time. Nothing helps a thread that is terminated just then.
let ended: number | undefined;

function linger(): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  if (ended === undefined) {
    process.once('exit', () => {
      const left = (ended ?? 0) + SETTLE_MS - now();
      if (left > 0) Atomics.wait(sleeper, 0, 0, left);
    });
  }
  ended = now();
  Atomics.wait(sleeper, 0, 0, PAUSE_MS);
}
