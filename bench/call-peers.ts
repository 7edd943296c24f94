// How each of the libraries that calls are compared with makes a synchronous call from the main thread to a worker, with the worker on
// the core that it is told. One module for both sides, so that what belongs together stands together.

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { wrap } from 'comlink';
import nodeAdapter from 'comlink/dist/umd/node-adapter.js';
import { createSyncFn } from 'synckit';
import type { CallThreadData } from './call-thread.js';

/** What all servers answer with: the number and one, or the very object. */
export type Method = 'next' | 'echo';
export const methods = {
  next: (n: number): number => n + 1,
  echo: (value: unknown): unknown => value,
} as const;

/** In the main thread, before its server exists: what the server needs to be told, and then how to call it. */
export interface Peer {
  readonly call: (method: Method, argument: unknown) => unknown;
  readonly end: () => unknown;
}

/** Its types say that this is a module with a default; what is there is the function. */
export const endpointOf = nodeAdapter as unknown as typeof nodeAdapter.default;

const START_MS = 30_000;

/** A worker of this bench that serves in this way, ready. */
export async function startServer(data: CallThreadData, ...ports: MessagePort[]): Promise<Worker> {
  const worker = new Worker(new URL('./call-thread.js', import.meta.url), { workerData: data, transferList: ports });
  await new Promise((resolve, reject) => {
    setTimeout(reject, START_MS, new Error('a server did not start')).unref();
    worker.once('message', resolve).once('error', reject);
  });
  return worker;
}

/** synckit starts its worker by itself, and has no way to pass it data but its environment. */
export function openSynckit(core: number): Peer {
  process.env['BENCH_CORE'] = String(core);
  const call = createSyncFn<(method: Method, argument: unknown) => unknown>(
    new URL('./call-synckit-thread.js', import.meta.url),
  );
  return { call, end: () => undefined };
}

/** What synckit and others do underneath: post, sleep on a word, take the answer from the port. */
export async function openPort(core: number): Promise<Peer> {
  const { port1, port2 } = new MessageChannel();
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const worker = await startServer({ kind: 'port', core, port: port2, answered }, port2);
  return {
    call(method, argument) {
      const before = Atomics.load(answered, 0);
      port1.postMessage([method, argument]);
      Atomics.wait(answered, 0, before);
      return (receiveMessageOnPort(port1) as { message: unknown }).message;
    },
    end: () => worker.terminate(),
  };
}

/** comlink: asynchronous, there is no other way. */
export async function openComlink(core: number): Promise<Peer> {
  const { port1, port2 } = new MessageChannel();
  const worker = await startServer({ kind: 'comlink', core, port: port2 }, port2);
  const remote = wrap<typeof methods>(endpointOf(port1));
  return {
    call: (method, argument) => (method === 'next' ? remote.next(argument as number) : remote.echo(argument)),
    end: () => {
      port1.close();
      return worker.terminate();
    },
  };
}
