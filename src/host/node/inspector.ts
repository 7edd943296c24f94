// The inspector bridge: a session from a worker to the main thread, whose interrupt runs an expression there even while
// main is busy or blocked in Atomics.wait. The debugger domain is never enabled, so main is never paused. A session that
// stayed connected would hold the process at its exit ("Waiting for the debugger to disconnect...").

import type { Evaluation } from '../host.js';
import { process } from './builtin.js';

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
  };
  try {
    session.post('Runtime.evaluate', { expression, silent: true });
  } catch (error) {
    end();
    throw error;
  }
  return { end };
}
