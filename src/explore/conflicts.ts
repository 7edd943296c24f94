// Which addresses are shared: accessed by at least two threads, at least one of which wrote, in any schedule so far. Only before
// an operation on such an address is a preemption offered.
//
// Why that loses nothing. An operation on any other address gives the same result, and leaves the same memory, whether it is done
// before or after operations of other threads. So a preemption in front of it can be moved behind it, up to the thread's next
// shared operation (or to its end, where the switch is free): the same outcome with no more preemptions. The set is gathered while
// searching. When it grows, the search starts again with the larger set, until a whole search has met no new shared
// address. Suppose a schedule outside that search had one. Up to its first operation on it, it can be transformed as above
// into a beginning of a schedule that was searched; there the thread went on to that very operation, or had done it already,
// and so did the other thread: the address was seen to be shared after all. What else is observed is a shared operation of its own: waits and
// notifications write the queue of their address, a question whether a thread lives reads its death (where kills are
// explored), and an invariant reads everything, so with one every write counts.

import { type Control, GREW } from './control.js';

const GRANULE_SHIFT = 2;

export interface Conflicts {
  isShared(address: number, bytes: number): boolean;
  note(address: number, bytes: number, thread: number, wrote: boolean): void;
  /** Takes into the set what has been found since. */
  grow(): void;
}

/** Bytes of shared memory for the marks of `bytes` of explored memory. */
export const conflictBytes = (bytes: number): number => 3 * granules(bytes);
const granules = (bytes: number): number => (bytes + 7) >>> GRANULE_SHIFT;

export function createConflicts({ c }: Control, marks: SharedArrayBuffer, bytes: number): Conflicts {
  const count = granules(bytes);
  const readers = new Uint8Array(marks, 0, count);
  const writers = new Uint8Array(marks, count, count);
  const shared = new Uint8Array(marks, 2 * count, count);

  function mark(granule: number, bit: number, wrote: boolean): void {
    const seen = wrote ? writers : readers;
    if (((seen[granule] as number) & bit) !== 0) return;
    seen[granule]! |= bit;
    if (shared[granule] === 0 && conflicting(granule)) c[GREW] = 1;
  }

  function conflicting(granule: number): boolean {
    const wrote = writers[granule] as number;
    const all = wrote | (readers[granule] as number);
    return wrote !== 0 && (all & (all - 1)) !== 0;
  }

  return {
    isShared(address, bytes) {
      const first = address >>> GRANULE_SHIFT;
      return shared[first] === 1 || (bytes > 4 && shared[first + 1] === 1);
    },
    note(address, bytes, thread, wrote) {
      const first = address >>> GRANULE_SHIFT;
      mark(first, 1 << thread, wrote);
      if (bytes > 4) mark(first + 1, 1 << thread, wrote);
    },
    grow() {
      for (let k = 0; k < count; k++) if (shared[k] === 0 && conflicting(k)) shared[k] = 1;
    },
  };
}
