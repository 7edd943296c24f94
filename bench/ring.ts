// Ring.write() of 64 bytes beside push() of ringbuf.js, whose queue is bytes without records for one reader, and beside postMessage().
// The writer's cost alone, where what was written is taken out again by moving the reader's word, which costs nothing; then with
// the reading of every record; then with the reader in another thread.

import { Worker } from 'node:worker_threads';
import { attach } from 'coexist';
import { RING } from 'coexist/abi';
import { Ring } from 'coexist/percpu';
import { interleave, row, type Topic } from './kit.js';
import { ANSWER_MS, CAPACITY, READ, RECORD, type Reader, type ReaderData, STOP, WORDS } from './ring-control.js';

const WRITES = 200_000;
/** Records that either ring holds. */
const BATCH = 50;
const POSTS = 2000;
const BYTES = new Uint8Array(RECORD).map((_, k) => k);

/** A peer with room for as many records. */
async function peerRing() {
  const { RingBuffer } = await import('ringbuf.js');
  const storage = RingBuffer.getStorageForCapacity(CAPACITY, Uint8Array);
  const ring = new RingBuffer(storage, Uint8Array as never);
  // What its reader writes, by which it says how far it is.
  const words = new Uint32Array(storage, 0, 2);
  return { ring, storage, empty: () => Atomics.store(words, 1, Atomics.load(words, 0)) };
}

/** Room that a reader which keeps up has made: head is where tail is. */
function emptier(ring: Ring): () => void {
  const { buffer, geometry } = attach();
  const words = new BigInt64Array(buffer);
  // The first and only thing in the blocks.
  const at = geometry.blockOffset + ring.slot * geometry.blockStride;
  const [head, tail] = [(at + RING.head.offset) / 8, (at + RING.tail.offset) / 8];
  return () => Atomics.store(words, head, Atomics.load(words, tail));
}

/** Writes in batches, with what makes room between them. */
function batches(write: () => unknown, between: () => void): (times: number) => unknown {
  return (times) => {
    let last: unknown;
    for (let left = times; left > 0; left -= BATCH) {
      for (let k = 0; k < BATCH; k++) last = write();
      between();
    }
    if (last === 0 || last === false) throw new Error('a record was dropped');
    return last;
  };
}

async function write() {
  const peer = await peerRing();
  const ring = new Ring('bench/ring', { capacity: CAPACITY });
  const over = new Ring('bench/ring', { capacity: CAPACITY, policy: 'overwrite' });
  const empty = emptier(ring);
  const times = await interleave({
    peer: { ops: WRITES, loop: batches(() => peer.ring.push(BYTES, RECORD), peer.empty) },
    own: { ops: WRITES, loop: batches(() => ring.write(BYTES), empty) },
    overwriting: {
      ops: WRITES,
      loop: batches(
        () => over.write(BYTES),
        () => {},
      ),
    },
  });
  return [
    row('ringbuf.js push() against Ring.write(), 64 bytes, the writer alone', times.peer, times.own, { atLeast: 1.5 }),
    row('the same, overwriting the oldest at every write', times.peer, times.overwriting),
  ];
}

async function bothSides() {
  const peer = await peerRing();
  const into = new Uint8Array(RECORD);
  const popAll = (): void => {
    while (peer.ring.pop(into, RECORD) > 0);
  };
  const ring = new Ring('bench/ring', { capacity: CAPACITY });
  let seen = 0;
  const drainAll = (): void => {
    ring.drain(({ bytes }) => {
      seen += bytes.length;
    });
  };
  const times = await interleave({
    peer: { ops: WRITES, loop: batches(() => peer.ring.push(BYTES, RECORD), popAll) },
    own: { ops: WRITES, loop: batches(() => ring.write(BYTES), drainAll) },
  });
  if (seen === 0) throw new Error('nothing was drained');
  const what = 'ringbuf.js push() and pop() against Ring.write() and drain(), 64 bytes, one thread';
  return [row(what, times.peer, times.own)];
}

/** A thread that reads whatever the others give it, until it is told to stop. */
async function startReader(data: Omit<ReaderData, 'control'>) {
  const control = new Int32Array(new SharedArrayBuffer(4 * WORDS));
  const worker = new Worker(new URL('./ring-thread.js', import.meta.url), {
    workerData: { ...data, control } satisfies ReaderData,
  });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  return {
    worker,
    /** Waits, blocking, until so many have been read since the beginning. */
    untilRead(count: number): void {
      for (let read = 0; read !== count; ) {
        read = Atomics.load(control, READ);
        if (read !== count && Atomics.wait(control, READ, read, ANSWER_MS) === 'timed-out') {
          throw new Error(`${read} of ${count} records were read`);
        }
      }
    },
    end(): Promise<number> {
      Atomics.store(control, STOP, 1);
      return worker.terminate();
    },
  };
}

function timed(run: () => void): { overriddenDuration: number } {
  const started = performance.now();
  run();
  return { overriddenDuration: performance.now() - started };
}

/** From the first write until the last record has been read; a writer that finds no room tries again. */
async function twoThreads() {
  const peer = await peerRing();
  const ring = new Ring('bench/ring', { capacity: CAPACITY });
  const kinds: readonly Reader[] = ['ring', 'peer'];
  const [ours, theirs] = await Promise.all(kinds.map((reader) => startReader({ reader, storage: peer.storage })));
  if (ours === undefined || theirs === undefined) throw new Error('no reader');
  let [written, pushed] = [0, 0];
  const times = await interleave(
    {
      peer: {
        ops: WRITES,
        sample: () =>
          timed(() => {
            for (let k = 0; k < WRITES; k++)
              while (peer.ring.availableWrite() < RECORD || peer.ring.push(BYTES, RECORD) === 0);
            pushed = (pushed + WRITES) | 0;
            theirs.untilRead(pushed);
          }),
      },
      own: {
        ops: WRITES,
        sample: () =>
          timed(() => {
            for (let k = 0; k < WRITES; k++) while (!ring.write(BYTES));
            written = (written + WRITES) | 0;
            ours.untilRead(written);
          }),
      },
    },
    { rounds: 9, samples: 3, warmup: 2, counts: 'median' },
  );
  await Promise.all([ours.end(), theirs.end()]);
  const what = 'ringbuf.js against Ring, 64 bytes from one thread to another, to the last one read';
  return [row(what, times.peer, times.own)];
}

async function post() {
  const reader = await startReader({ reader: 'messages', storage: undefined });
  const ring = new Ring('bench/ring', { capacity: CAPACITY });
  let posted = 0;
  const times = await interleave({
    peer: {
      ops: POSTS,
      sample() {
        const result = timed(() => {
          for (let k = 0; k < POSTS; k++) reader.worker.postMessage(BYTES);
        });
        posted += POSTS;
        reader.untilRead(posted);
        return result;
      },
    },
    own: { ops: WRITES, loop: batches(() => ring.write(BYTES), emptier(ring)) },
  });
  await reader.end();
  const what = 'postMessage() of a Uint8Array against Ring.write(), 64 bytes, the writer alone';
  return [row(what, times.peer, times.own, { atLeast: 50 })];
}

export const ring: Topic = { write, bothSides, twoThreads, post };
