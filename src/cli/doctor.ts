// coexist doctor [--json]: runs doctor() in a fresh process, and prints one line for each thing that can work or not.

import { type Diagnosis, doctor } from '../core.js';
import type { Command } from './command.js';

/** One line of the report. */
interface Finding {
  readonly what: string;
  readonly ok: boolean;
  /** What is in use. */
  readonly state: string;
  /** Why not something better, and what to do about it; only where it is not ok. */
  readonly reasons?: readonly string[];
  readonly remedy?: string;
}

const USAGE = 'usage: coexist doctor [--json]';

export const doctorCommand: Command = {
  run(args) {
    const json = args.includes('--json');
    const unknown = args.find((arg) => arg !== '--json' && arg !== '--help');
    if (unknown !== undefined) {
      console.error(`unknown argument: ${unknown}\n${USAGE}`);
      return 2;
    }
    if (args.includes('--help')) console.log(USAGE);
    else if (json) console.log(JSON.stringify(doctor()));
    else console.log(report(doctor()));
    return 0;
  },
};

function report(diagnosis: Diagnosis): string {
  const { version, runtime } = diagnosis;
  const head = `coexist ${version} on ${runtime.name} ${runtime.version}, ${runtime.platform} ${runtime.arch}`;
  return [head, ...findings(diagnosis).flatMap(linesOf)].join('\n');
}

function linesOf({ what, ok, state, reasons = [], remedy }: Finding): string[] {
  const lines = [`${ok ? 'ok      ' : 'degraded'}  ${what}: ${state}`];
  if (ok) return lines;
  for (const reason of reasons) lines.push(`${' '.repeat(10)}because ${reason}`);
  if (remedy !== undefined) lines.push(`${' '.repeat(10)}remedy: ${remedy}`);
  return lines;
}

function findings(diagnosis: Diagnosis): Finding[] {
  const { area, cpu, wasm, provesDeath, bridgeRefusal, conflict, slots, geometry, reasons } = diagnosis;
  const { possible, now } = cpu;
  const found: Finding[] = [
    {
      what: 'area',
      ok: area.synchronous,
      state: area.attached
        ? `attached, ${geometry?.slotCapacity} slots, ${slots.length} registered`
        : `none yet; attach() would come to it by: ${area.via}`,
      reasons,
      remedy: 'attach in the main thread before starting workers, or run node --import coexist/preload',
    },
    {
      what: 'CPU numbers',
      ok: cpu.via === 'rseq',
      state: {
        rseq: `read live from the kernel's rseq area, through ${cpu.ffi}; now ${now} of ${possible}`,
        sched_getcpu: `by a call of sched_getcpu(), through ${cpu.ffi}; now ${now} of ${possible}`,
        slot: 'not known: the index of the slot stands for it',
      }[cpu.via],
      reasons: cpu.reasons,
      remedy: remedyFor(cpu),
    },
    {
      what: 'proof of death',
      ok: provesDeath,
      state: provesDeath ? 'by /proc' : 'none: slots and locks of threads that end unprepared are not taken over',
      remedy: 'run on Linux, with /proc readable (under the permission model: --allow-fs-read=/proc/*)',
    },
    {
      what: 'wasm',
      ok: wasm,
      state: wasm ? 'transitions are one wasm call each' : 'off: transitions run in JavaScript, slower',
      remedy: 'run without COEXIST_NO_WASM and --jitless',
    },
    {
      what: 'bridge',
      ok: bridgeRefusal === null,
      state:
        bridgeRefusal === null
          ? 'a worker that nobody prepared finds the area'
          : 'a worker that nobody prepared finds the area only by attachAsync()',
      reasons: bridgeRefusal === null ? [] : [bridgeRefusal],
      remedy: 'attach in the main thread before starting workers, or run node --import coexist/preload',
    },
    {
      what: 'one area',
      ok: conflict === 0,
      state: conflict === 0 ? 'no second one was seen' : `a second one exists, ${conflict}`,
      remedy: 'attach in the main thread before any worker starts',
    },
  ];
  return found;
}

function remedyFor({ via, reasons }: Diagnosis['cpu']): string {
  const why = reasons.join('\n');
  if (why.includes('COEXIST_NO_FFI')) return 'run without COEXIST_NO_FFI=1';
  if (why.includes('refused')) return 'run with --allow-addons (koffi) or --allow-ffi (node:ffi)';
  if (why.includes('glibc.pthread.rseq')) return 'run without the tunable glibc.pthread.rseq=0';
  if (via === 'slot') return 'npm install koffi';
  return 'run on x64 Linux with glibc 2.35 or later';
}
