// Registration: reading the own slot, counting on it with the bare transitions, and the whole nested register() and unregister().

import { attach, type Registration, register as registerThread } from 'coexist';
import { PerThread } from 'coexist/percpu';
import { type Bar, interleave, loadCore, row, type Topic, variable } from './kit.js';

const READS = 2_000_000;
const PAIRS = 100_000;

/** The bar of Node 24 is wider. */
const READ_BAR: Bar = { atMost: process.versions.node.startsWith('24.') ? 1.6 : 1.15 };

/**
 * The baseline of reading: a captured view, and an index that is an argument. A captured variable for the index would flatter us:
 * since V8 12 reading one that was assigned twice costs several times the load itself.
 */
export function plainReads(view: Int32Array, index: number): (times: number) => number {
  const place = variable(index);
  const read = (at: number): number => view[at] as number;
  return (times) => {
    const { at } = place;
    let sum = 0;
    for (let k = 0; k < times; k++) sum = (sum + read(at)) | 0;
    return sum;
  };
}

/** What is measured against it. */
export const cpuIdReads =
  (registration: Registration) =>
  (times: number): number => {
    let sum = 0;
    for (let k = 0; k < times; k++) sum = (sum + registration.cpuId()) | 0;
    return sum;
  };

/** The baseline of counting: up and down, one JS atomic each. */
function atomicPairs(view: Int32Array, index: number): (times: number) => number {
  return (times) => {
    let seen = 0;
    for (let k = 0; k < times; k++) {
      seen += Atomics.add(view, index, 1);
      seen -= Atomics.sub(view, index, 1);
    }
    return seen;
  };
}

/** A header word that no field has (docs/ABI.md, clause 11): the baselines may write there. */
export const SPARE = 2048 / 4;

async function cpuId() {
  // As where no CPU number is known: the published word. The live number is a topic of its own, cpuid.
  process.env['COEXIST_NO_FFI'] = '1';
  const registration = registerThread();
  const times = await interleave({
    plain: { ops: READS, loop: plainReads(new Int32Array(attach().buffer), SPARE) },
    own: { ops: READS, loop: cpuIdReads(registration) },
  });
  return [row('registration.cpuId() without FFI against a plain typed-array load', times.own, times.plain, READ_BAR)];
}

async function perThread() {
  const own = new PerThread('bench/block', { type: 'i32', length: 16 });
  const readOwn = (): number => own.array[own.base] as number;
  const times = await interleave({
    plain: { ops: READS, loop: plainReads(new Int32Array(attach().buffer), own.base) },
    own: {
      ops: READS,
      loop: (times) => {
        let sum = 0;
        for (let k = 0; k < times; k++) sum = (sum + readOwn()) | 0;
        return sum;
      },
    },
  });
  return [row('PerThread array[base] against a plain typed-array load', times.own, times.plain, READ_BAR)];
}

async function transitions() {
  const { coreOf } = await loadCore();
  const { slot } = registerThread();
  const core = coreOf(attach().buffer);
  const step = core.transitions;
  const at = core.slotAt(slot);
  const times = await interleave({
    atomics: { ops: PAIRS, loop: atomicPairs(new Int32Array(attach().buffer), SPARE) },
    transitions: {
      ops: PAIRS,
      loop: (times) => {
        let seen = 0;
        for (let k = 0; k < times; k++) {
          seen += step.up(at);
          seen -= step.down(at);
        }
        return seen;
      },
    },
  });
  return [row('transitions up and down against two JS atomics', times.transitions, times.atomics, { atMost: 0.45 })];
}

async function nested() {
  const outer = registerThread();
  let last: Registration = outer;
  const times = await interleave({
    atomics: { ops: PAIRS, loop: atomicPairs(new Int32Array(attach().buffer), SPARE) },
    nested: {
      ops: PAIRS,
      loop: (times) => {
        for (let k = 0; k < times; k++) {
          last = registerThread();
          last.unregister();
        }
        return last;
      },
    },
  });
  return [row('nested register() and unregister() against two JS atomics', times.nested, times.atomics, { atMost: 3 })];
}

export const register: Topic = { cpuId, perThread, transitions, nested };
