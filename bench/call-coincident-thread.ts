// A worker that calls the main thread: through coincident, or through ours.

import { parentPort, workerData } from 'node:worker_threads';
import { connect } from 'coexist/call';
import type { methods } from './call-peers.js';
import { pin } from './pin.js';

export interface CallerData {
  readonly kind: 'own' | 'coincident';
  readonly core: number;
  readonly name: string;
}

const { kind, core, name } = workerData as CallerData;
const port = parentPort!;
if (!pin(core)) throw new Error('the first thread could be pinned');

async function openNext(): Promise<(n: number) => unknown> {
  if (kind === 'own') {
    const client = connect<typeof methods>(name);
    return (n) => client.callSync('next', n);
  }
  Object.assign(globalThis, {
    addEventListener: port.addEventListener.bind(port),
    postMessage: port.postMessage.bind(port),
  });
  const { default: coincident } = await import('coincident/worker');
  // Its default of 0x7fff bytes is refused by Node 20: it is no multiple of 4.
  const { proxy } = await coincident({ minByteLength: 0x8000, transfer: false });
  return proxy['next'] as (n: number) => unknown;
}

const next = await openNext();
port.on('message', (calls: unknown) => {
  if (typeof calls !== 'number') return;
  let n = 0;
  const started = performance.now();
  for (let k = 0; k < calls; k++) n = next(n) as number;
  const took = performance.now() - started;
  if (n !== calls) throw new Error(`${calls} calls came to ${n}`);
  port.postMessage(took);
});
port.postMessage('ready');
