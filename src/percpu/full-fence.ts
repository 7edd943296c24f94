// Orders everything this thread has done before everything it does after, plain accesses too. A read-modify-write is that on every
// processor engines run on, a load or a store alone is not.

const word = new Int32Array(new SharedArrayBuffer(4));

export function fullFence(): void {
  Atomics.add(word, 0, 0);
}
