// BroadcastChannel of node:worker_threads, unref-ed: an open one would keep its thread alive.

import type { Channel } from '../host.js';
import { workerThreads } from './builtin.js';

export function channel(name: string, onmessage?: (message: unknown) => void): Channel {
  const inner = new (workerThreads().BroadcastChannel)(name);
  if (onmessage !== undefined) {
    inner.onmessage = (event: unknown) => onmessage((event as { data: unknown }).data);
  }
  inner.unref();
  return {
    post: (message) => inner.postMessage(message),
    poll: () => workerThreads().receiveMessageOnPort(inner as never) as { message: unknown } | undefined,
    close: () => inner.close(),
  };
}
