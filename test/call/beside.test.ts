// What is posted beside the cells while its senders block: nobody keeps what the others have posted.

import * as workerThreads from 'node:worker_threads';
import { attach } from 'coexist';
import { connect } from 'coexist/call';
import { expect, test } from 'vitest';
import { type ActorMethods, Gate, startServer } from '../support/call-actors.js';
import { copyUrl } from '../support/copies.js';

const OTHERS = 5;
const WAIT_MS = 20_000;

test('a thread that blocks takes what others post out of its sending channel', async () => {
  attach();
  const server = await startServer({ name: 'crowd', gate: new Gate() });
  const words = new Int32Array(new SharedArrayBuffer(8));
  const worker = new workerThreads.Worker(
    `import(${JSON.stringify(copyUrl('a', 'core.js'))}).then(({ connect }) => {
      const { workerData: words, parentPort } = require('node:worker_threads');
      const client = connect('crowd', { timeout: ${WAIT_MS} });
      parentPort.postMessage('ready');
      Atomics.wait(words, 0, 0, ${WAIT_MS});
      for (let k = 0; k < ${OTHERS}; k++) client.callSync('echo', words.buffer);
      client.close();
      Atomics.store(words, 1, 1);
      Atomics.notify(words, 1);
    })`,
    { eval: true, workerData: words },
  );
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const client = connect<ActorMethods>('crowd', { timeout: WAIT_MS });
  // From here on the event loop of this thread stands still.
  expect(client.callSync('echo', words.buffer)).toBeInstanceOf(SharedArrayBuffer);
  Atomics.store(words, 0, 1);
  Atomics.notify(words, 0);
  expect(Atomics.wait(words, 1, 0, WAIT_MS)).not.toBe('timed-out');
  // Where the library looks it up.
  const module = process.getBuiltinModule('node:worker_threads') as {
    receiveMessageOnPort: typeof workerThreads.receiveMessageOnPort;
  };
  const { receiveMessageOnPort } = module;
  let taken = 0;
  module.receiveMessageOnPort = (port) => {
    const message = receiveMessageOnPort(port);
    if (message !== undefined && port instanceof workerThreads.BroadcastChannel) taken++;
    return message;
  };
  try {
    client.callSync('echo', words.buffer);
  } finally {
    module.receiveMessageOnPort = receiveMessageOnPort;
  }
  // Theirs, and the one reply.
  expect(taken).toBe(OTHERS + 1);
  client.close();
  await ended;
  await server.terminate();
});
