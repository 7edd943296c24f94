// A thread that reads what the bench of rings writes, and counts it.

import { parentPort, workerData } from 'node:worker_threads';
import { Ring } from 'coexist/percpu';
import { CAPACITY, READ, RECORD, type ReaderData, STOP } from './ring-control.js';

const { reader, storage, control } = workerData as ReaderData;

function count(records: number): void {
  if (records === 0) return;
  Atomics.add(control, READ, records);
  Atomics.notify(control, READ);
}

function whole({ length }: Uint8Array): void {
  if (length !== RECORD) throw new Error(`a record of ${length} bytes`);
}

/** Reads until it is told to stop. */
function read(batch: () => number): void {
  while (Atomics.load(control, STOP) === 0) count(batch());
}

async function start(): Promise<void> {
  if (reader === 'messages') {
    parentPort?.on('message', (bytes: Uint8Array) => {
      whole(bytes);
      count(1);
    });
    parentPort?.postMessage('ready');
    return;
  }
  if (reader === 'ring') {
    const ring = Ring.reader('bench/ring', { capacity: CAPACITY });
    parentPort?.postMessage('ready');
    read(() => ring.drain(({ bytes }) => whole(bytes)));
    return;
  }
  const { RingBuffer } = await import('ringbuf.js');
  const ring = new RingBuffer(storage as SharedArrayBuffer, Uint8Array as never);
  const into = new Uint8Array(RECORD);
  parentPort?.postMessage('ready');
  read(() => {
    let records = 0;
    for (; ring.pop(into, RECORD) === RECORD; records++) whole(into);
    return records;
  });
}

await start();
