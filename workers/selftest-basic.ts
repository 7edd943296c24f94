// The kernel's basic_test and basic_percpu_ops_test. The first asks a registered thread for its CPU number on each CPU it may run on;
// the second is a spinlock around a count, and lists whose nodes are moved, by 200 threads.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { loadLibrary } from './selftest-library.js';
import { type ModeName, NOWHERE, type ParamSet } from './selftest-set.js';
import { deriveSeed } from './stress-random.js';

export interface BasicResult {
  readonly name: string;
  readonly detail: string;
  readonly wrong: readonly string[];
}

const THREADS = 200;
const REPETITIONS = 5000;
const MOVES = 100_000;
/** Of the field in which the kernel says on which CPU a thread ran last, behind the name in stat. */
const PROCESSOR_FIELD = 36;

/** `--threads` and `--scale` make these smaller; by default they are the kernel's. */
export function basicOperations(seed: number, threads = THREADS, scale = 1): ParamSet[] {
  const rows: [ModeName, number][] = [
    ['s', REPETITIONS],
    ['p', REPETITIONS],
    ['l', MOVES],
  ];
  return rows.flatMap(([mode, repetitions], k) =>
    (['cpu', 'slot'] as const).map((index) => ({
      ...({ mode, index, threads, build: 'production', steps: 'wasm', shuffles: true, act: 'none' } as const),
      ...{ loops: NOWHERE, modulo: 0, sleepMs: 0, deaths: 0 },
      repetitions: Math.max(1, Math.round(repetitions * scale)),
      seed: deriveSeed(seed, 1_000_000 + k),
    })),
  );
}

export async function basicTests(): Promise<BasicResult[]> {
  const library = await loadLibrary('production');
  const area = library.createArea({ slots: 2 });
  const registration = library.register({ area });
  try {
    return [registered(), onEachCpu(), unregistered()];
  } finally {
    registration[Symbol.dispose]();
  }

  function registered(): BasicResult {
    const wrong: string[] = [];
    const [row] = area.inspect().slots;
    const number = registration.publish();
    if (number < 0) wrong.push(`the CPU number of a registered thread is ${number}`);
    if (row === undefined) wrong.push('the thread has no slot');
    else if (row.flags !== 0) wrong.push(`flags are ${row.flags}, expected 0`);
    return {
      name: 'registered',
      detail: `slot ${registration.slot}, CPU number ${number}, flags ${row?.flags}`,
      wrong,
    };
  }

  function onEachCpu(): BasicResult {
    const wrong: string[] = [];
    const cpus = allowedCpus();
    let [live, index] = [0, 0];
    for (const cpu of cpus) {
      const pinned = pin([cpu]);
      const number = registration.publish();
      const published = area.inspect().slots[0]?.cpuId;
      const real = pinned ? processor() : undefined;
      if (registration.cpuId() !== number)
        wrong.push(`cpuId() is ${registration.cpuId()} behind publish(), which is ${number}`);
      if (published !== number) wrong.push(`the slot publishes ${published}, and the thread has ${number}`);
      if (real !== undefined && real !== cpu)
        wrong.push(`the kernel runs a thread on ${real} that may only be on ${cpu}`);
      if (number === cpu) live++;
      if (number === registration.slot) index++;
    }
    pin(cpus);
    const pinnable = pin(cpus);
    // Where no live number is to be had, all are the slot's index.
    const consistent = !pinnable || live === cpus.length || index === cpus.length;
    if (!consistent) wrong.push(`of ${cpus.length} CPUs, ${live} numbers are the CPU's and ${index} the slot's index`);
    let source = "the slot's index";
    if (!pinnable) source = 'consistent; the thread cannot be moved here';
    else if (live === cpus.length && cpus.length > 1) source = "the CPU's number";
    return { name: 'CPU number', detail: `on each of ${cpus.length} CPUs: ${source}`, wrong };
  }

  function unregistered(): BasicResult {
    const { ops } = library;
    const wrong: string[] = [];
    for (const index of ['cpu', 'slot'] as const) {
      const perCpu = new library.PerCpu(`selftest/unregistered/${index}`, { area, index, bytes: 64 });
      const shard = perCpu.start();
      const v = perCpu.at(shard);
      perCpu.dispose();
      if (perCpu.start() !== -1) wrong.push(`start() is ${perCpu.start()} behind dispose(), expected -1`);
      const statuses = {
        load_cbne_store: ops.load_cbne_store(perCpu, v, 0, 1, shard),
        load_add_store: ops.load_add_store(perCpu, v, 1, shard),
        load_cbeq_store_add_load_store: ops.load_cbeq_store_add_load_store(perCpu, v, 0, 0, [0], shard),
        load_add_load_load_add_store: ops.load_add_load_load_add_store(perCpu, v, 0, 1, shard),
        load_cbne_store_store: ops.load_cbne_store_store(perCpu, v, 0, v + 4, 1, 1, shard),
        load_cbne_load_cbne_store: ops.load_cbne_load_cbne_store(perCpu, v, 0, v + 4, 0, 1, shard),
        load_cbne_memcpy_store: ops.load_cbne_memcpy_store(perCpu, v, 0, v + 4, v + 8, 4, 1, shard),
      };
      for (const [name, status] of Object.entries(statuses)) {
        if (status !== ops.UNREGISTERED)
          wrong.push(`${name} by ${index} returned ${status}, expected ${ops.UNREGISTERED}`);
      }
    }
    return { name: 'unregistered', detail: 'every operation says so', wrong };
  }
}

function allowedCpus(): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    return list.split(',').flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number) as [number, number?];
      return Array.from({ length: last - first + 1 }, (_, k) => first + k);
    });
  } catch {
    return [0];
  }
}

/** Moves the main thread, where there is a way to. */
function pin(cpus: readonly number[]): boolean {
  try {
    execFileSync('taskset', ['-p', '-c', cpus.join(','), String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function processor(): number | undefined {
  try {
    const stat = readFileSync('/proc/thread-self/stat', 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[PROCESSOR_FIELD]);
  } catch {
    return undefined;
  }
}
