// The live CPU number: cpuId() where the kernel's rseq area is mapped, against the load of an element of a typed array, and against
// what it stands in for, a call of sched_getcpu() through the same FFI. Where nothing is mapped, there is nothing to measure.

import { createRequire } from 'node:module';
import { attach, doctor, register } from 'coexist';
import { interleave, row, type Topic } from './kit.js';
import { cpuIdReads, plainReads, SPARE } from './register.js';

const READS = 2_000_000;
const CALLS = 100_000;

interface Koffi {
  load(path: null): { func(prototype: string): () => number };
}

async function mapped() {
  const registration = register();
  const { cpu } = doctor();
  if (cpu.via !== 'rseq' || cpu.ffi !== 'koffi') {
    console.error(`cpuid: not measured, CPU numbers come from ${cpu.via}: ${cpu.reasons.join('; ')}`);
    return [];
  }
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const schedGetCpu = koffi.load(null).func('int sched_getcpu()');
  const times = await interleave({
    plain: { ops: READS, loop: plainReads(new Int32Array(attach().buffer), SPARE) },
    own: { ops: READS, loop: cpuIdReads(registration) },
    ffi: {
      ops: CALLS,
      loop: (times) => {
        let sum = 0;
        for (let k = 0; k < times; k++) sum = (sum + schedGetCpu()) | 0;
        return sum;
      },
    },
  });
  return [
    row('cpuId(), live, against a plain typed-array load', times.own, times.plain, { atMost: 3 }),
    row('sched_getcpu() through koffi against cpuId(), live', times.ffi, times.own, { atLeast: 8 }),
  ];
}

export const cpuid: Topic = { mapped };
