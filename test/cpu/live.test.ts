// cpuId() is what sched_getcpu() says, in the main thread and in workers, while each thread moves itself from CPU to CPU. The kernel has
// moved a thread by the time its sched_setaffinity() returns, so nothing here is left to chance.

import { expect, test } from 'vitest';
import type { ProgramContext } from '../../workers/program.js';
import { allowedCpus, type Koffi, koffiUrl } from '../support/cpus.js';
import { program } from '../support/program.js';

const ROUNDS = 3;

interface Tour {
  readonly koffi: string;
  readonly cpus: readonly number[];
}

interface Stop {
  readonly cpu: number;
  readonly called: number;
  readonly cpuId: number;
  readonly published: number;
  /** cpu_id and cpu_id_start of the own slot, as inspect() shows them before and after publish(). */
  readonly before: number;
  readonly after: readonly (number | undefined)[];
}

/** Registers, then visits each CPU; in the thread it runs in. */
async function tour({ load, urls }: ProgramContext, { koffi, cpus }: Tour): Promise<Stop[]> {
  const { register, attach } = await load(urls.a);
  const lib = (await load<Koffi>(koffi)).default.load(null);
  const schedGetCpu = lib.func('int sched_getcpu()');
  const setAffinity = lib.func('int sched_setaffinity(int pid, size_t size, const uint8_t *mask)');
  const moveTo = (cpu: number): void => {
    const mask = new Uint8Array(1024);
    mask[cpu >> 3] = 1 << (cpu & 7);
    if (setAffinity(0, mask.length, mask) !== 0) throw new Error(`cannot move to CPU ${cpu}`);
  };
  const registration = register();
  const row = () =>
    attach()
      .inspect()
      .slots.find(({ slot }) => slot === registration.slot);
  const stops: Stop[] = [];
  moveTo(cpus[0] as number);
  registration.publish();
  for (const cpu of cpus) {
    const before = row()?.cpuId ?? -1;
    moveTo(cpu);
    const called = schedGetCpu();
    const cpuId = registration.cpuId();
    const untouched = row()?.cpuId ?? -1;
    if (untouched !== before) throw new Error(`the slot shows ${untouched} before publish(), not ${before}`);
    const published = registration.publish();
    stops.push({ cpu, called, cpuId, published, before, after: [row()?.cpuId, row()?.cpuIdStart] });
  }
  return stops;
}

test('main and workers, each pinned to one CPU after the other', async () => {
  const cpus = allowedCpus();
  expect(cpus.length).toBeGreaterThan(0);
  // Long enough to visit each more than once, short on a large machine.
  const route = Array.from({ length: Math.min(cpus.length * ROUNDS, 64) }, (_, k) => cpus[k % cpus.length] as number);
  const { result } = await program(
    async (context, { tour, args }) => {
      const compile = (source: string) =>
        process.getBuiltinModule('node:vm').runInThisContext(`(${source})`) as (
          context: ProgramContext,
          args: Tour,
        ) => Promise<Stop[]>;
      const workers = [1, 2].map(() =>
        context.spawn(
          (context, { compile, tour, args }) =>
            process.getBuiltinModule('node:vm').runInThisContext(compile)(tour)(context, args) as Promise<Stop[]>,
          { compile: String(compile), tour, args },
        ),
      );
      const main = await compile(tour)(context, args);
      return [main, ...(await Promise.all(workers.map(({ result }) => result)))];
    },
    { args: { tour: String(tour), args: { koffi: koffiUrl, cpus: route } } },
  );
  expect(result).toHaveLength(3);
  for (const stops of result) {
    expect(stops.map(({ cpu }) => cpu)).toEqual(route);
    for (const [k, { cpu, called, cpuId, published, before, after }] of stops.entries()) {
      expect({ called, cpuId, published }).toEqual({ called: cpu, cpuId: cpu, published: cpu });
      expect(before).toBe(route[Math.max(k - 1, 0)]);
      expect(after).toEqual([cpu, cpu]);
    }
  }
});

test('a loop that does nothing but read it sees that its thread is moved', async () => {
  const cpus = allowedCpus();
  const [here = 0, there = here] = cpus;
  const { result } = await program(
    async ({ load, urls, spawn, word, until }, { koffi, here, there }) => {
      (await load(urls.a)).attach();
      const lib = (await load<Koffi>(koffi)).default.load(null);
      const setAffinity = lib.func('int sched_setaffinity(int pid, size_t size, const uint8_t *mask)');
      const move = (tid: number, cpu: number): void => {
        const mask = new Uint8Array(1024);
        mask[cpu >> 3] = 1 << (cpu & 7);
        if (setAffinity(tid, mask.length, mask) !== 0) throw new Error(`cannot move thread ${tid} to CPU ${cpu}`);
      };
      const [tid, go, looping] = [word(), word(), word()] as const;
      const reader = spawn(
        async ({ load, urls, blockUntil }, { tid, go, looping, there }) => {
          const registration = (await load(urls.a)).register();
          const { readlinkSync } = process.getBuiltinModule('node:fs');
          Atomics.store(tid, 0, Number(readlinkSync('/proc/thread-self').split('/').pop()));
          blockUntil(go);
          const first = registration.cpuId();
          const stay = (most: number): number => {
            let reads = 0;
            while (registration.cpuId() === first && reads < most) reads++;
            return reads;
          };
          // Compiled before the thread is moved.
          for (let k = 0; k < 3000; k++) stay(1000);
          Atomics.store(looping, 0, 1);
          const most = 2 ** 26;
          // Again as long as the thread is where it was: the main thread may be slow.
          for (let k = 0; k < 200 && registration.cpuId() === first && first !== there; k++) {
            if (stay(most) === most && registration.cpuId() !== first) return { first, now: -1 };
          }
          return { first, now: registration.cpuId() };
        },
        { tid, go, looping, there },
      );
      move(await until(tid), here);
      Atomics.store(go, 0, 1);
      Atomics.notify(go, 0);
      await until(looping);
      move(Atomics.load(tid, 0), there);
      return reader.result;
    },
    { args: { koffi: koffiUrl, here, there } },
  );
  // now is -1 where the loop did not see what a read behind it saw.
  expect(result).toEqual({ first: here, now: there });
});
