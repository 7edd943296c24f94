// A server of the topic call, in the way that it is told, on the core that it is told.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { serve } from 'coexist/call';
import { expose } from 'comlink';
import { endpointOf, type Method, methods } from './call-peers.js';
import { loadCore } from './kit.js';
import { pin } from './pin.js';

interface PortData {
  readonly kind: 'port';
  readonly core: number;
  readonly port: MessagePort;
  readonly answered: Int32Array;
}

interface ComlinkData {
  readonly kind: 'comlink';
  readonly core: number;
  readonly port: MessagePort;
}

/** Ours: in its event loop, blocked in `run`, or blocked without ever spinning. */
interface OwnData {
  readonly kind: 'loop' | 'run' | 'still';
  readonly core: number;
  readonly name: string;
}

export type CallThreadData = PortData | ComlinkData | OwnData;

const data = workerData as CallThreadData;
if (!pin(data.core)) throw new Error('the first thread could be pinned');
if (data.kind === 'port') {
  const { port, answered } = data;
  port.on('message', ([method, argument]: [Method, unknown]) => {
    port.postMessage(method === 'next' ? methods.next(argument as number) : methods.echo(argument));
    Atomics.add(answered, 0, 1);
    Atomics.notify(answered, 0);
  });
} else if (data.kind === 'comlink') {
  expose(methods, endpointOf(data.port));
} else {
  if (data.kind === 'still') (await loadCore()).SPIN.event = 0;
  const server = serve(data.name, methods);
  if (data.kind !== 'loop') setImmediate(() => server.run());
}
parentPort?.postMessage('ready');
