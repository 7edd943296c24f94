// The inspector bridge: a session from a worker to the main thread, whose interrupt runs an expression there even while
// main is busy or blocked in Atomics.wait. The debugger domain is never enabled, so main is never paused. A session that
// stayed connected would hold the process at its exit ("Waiting for the debugger to disconnect...").

import type { Evaluation } from '../host.js';
import { process } from './builtin.js';

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
  };
  try {
    session.post('Runtime.evaluate', { expression, silent: true });
  } catch (error) {
    end();
    throw error;
  }
  return { end };
}
