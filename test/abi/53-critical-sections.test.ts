// Clause 53: a section is announced in rseq_cs before it reads and until it has ended, each under another value; a fence waits for the
// sections of the others that have begun, and for nothing else. What happens inside a section is done from its injection points.

import { type Area, register } from 'coexist';
import { fence, fenceAsync, ops, PerCpu } from 'coexist/percpu';
import { describe, expect, test, vi } from 'vitest';
import type * as core from '../../src/core.js';
import { type Actor, until } from '../support/actor.js';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, startActor } from '../support/backends.js';
import { failure, rejection } from '../support/failures.js';
import { forgottenThread, W } from '../support/lock-memory.js';
import {
  announce,
  contentAt,
  cpuWordOf,
  INDEXES,
  INJECTED,
  INJECTED_AGAIN,
  type Index,
  injectedIn,
  perCpuArea,
  sectionOf,
  wordsIn,
} from '../support/per-cpu.js';
import { outOfTime, withSleeps } from '../support/sleeps.js';
import { livesInProc, ownIdentity, UNKNOWABLE } from '../support/threads.js';
import { writesOf } from '../support/writes.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();

type Ops = typeof core.ops;
type Call = (lib: Ops, perCpu: core.PerCpu, at: number) => number;
const target = [0];

/** One way to do each operation, and two not to; `at` is where the words [7, node, node + 8 bytes, ...] are. */
const SECTIONS: Readonly<Record<string, { op: number; done: Call; refused: Call }>> = {
  load_cbeq_store_add_load_store: {
    op: 3,
    done: (lib, perCpu, at) => lib.load_cbeq_store_add_load_store(perCpu, at + 4, 0, 4, target, 0),
    refused: (lib, perCpu, at) => lib.load_cbeq_store_add_load_store(perCpu, at + 4, at + 32, 4, target, 0),
  },
  load_add_load_load_add_store: {
    op: 4,
    done: (lib, perCpu, at) => lib.load_add_load_load_add_store(perCpu, at + 4, 4, 5, 0),
    refused: (lib, perCpu, at) => lib.load_add_load_load_add_store(perCpu, at + 4, 4, 0, 0),
  },
  load_cbne_store_store: {
    op: 5,
    done: (lib, perCpu, at) => lib.load_cbne_store_store(perCpu, at, 7, at + 16, 1, 8, 0),
    refused: (lib, perCpu, at) => lib.load_cbne_store_store(perCpu, at, 6, at + 16, 1, 8, 0),
  },
  load_cbne_load_cbne_store: {
    op: 6,
    done: (lib, perCpu, at) => lib.load_cbne_load_cbne_store(perCpu, at, 7, at + 8, 0, 8, 0),
    refused: (lib, perCpu, at) => lib.load_cbne_load_cbne_store(perCpu, at, 7, at + 8, 1, 8, 0),
  },
  load_cbne_memcpy_store: {
    op: 7,
    done: (lib, perCpu, at) => lib.load_cbne_memcpy_store(perCpu, at, 7, at + 16, at + 24, 6, 8, 0),
    refused: (lib, perCpu, at) => lib.load_cbne_memcpy_store(perCpu, at, 6, at + 16, at + 24, 6, 8, 0),
  },
};
const OPERATIONS = Object.entries(SECTIONS).map(([name, section]) => ({ name, ...section }));

/** Low byte and the rest of an announcement. */
const parts = (section: bigint): [number, bigint] => {
  const unsigned = BigInt.asUintN(64, section);
  return [Number(unsigned & 255n), unsigned >> 8n];
};

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe.each(INDEXES)('by %s', (index: Index) => {
    const opened = async (area: Area, url = INJECTED) => {
      const copy = await injectedIn(backend, area, url);
      const perCpu = on(backend, () => new copy.lib.PerCpu('words', { bytes: 64, index, area: copy.area }));
      return { ...copy, perCpu };
    };
    const planted = (area: Area): number => {
      const at = contentAt(area, 'words', index, 0);
      const words = wordsIn(area);
      words.set(at, 7, at + 32, 0);
      words.set(at + 36, at + 40, 0);
      return at;
    };

    test.each(OPERATIONS)(
      '$name: announced under $op from before its first load to behind its commit',
      async (section) => {
        const area = perCpuArea(backend);
        const { lib, perCpu, at } = await opened(area);
        const seen = new Set<bigint>();
        for (const run of [section.done, section.refused, section.done]) {
          const v = planted(area);
          const announced = new Map<number, bigint>();
          at((point) => announced.set(point, sectionOf(area, 0)));
          run(lib.ops, perCpu, v);
          at(undefined);
          expect(sectionOf(area, 0)).toBe(0n);
          expect([announced.get(1), announced.get(2)]).toEqual([0n, 0n]);
          const value = announced.get(3) as bigint;
          for (const point of [4, 6]) expect(announced.get(point)).toBe(value);
          expect(announced.get(5) ?? value).toBe(value);
          expect(parts(value)[0]).toBe(section.op);
          seen.add(value);
        }
        expect(seen.size).toBe(3);
      },
    );

    test('given up for a pointer that leads nowhere, or for another that was faster: 0 as well', async () => {
      const area = perCpuArea(backend);
      const { lib, perCpu, at } = await opened(area);
      const v = planted(area);
      const words = wordsIn(area);
      words.set(v + 4, 2);
      failure('COEXIST_EINVAL', () => SECTIONS['load_cbeq_store_add_load_store']?.done(lib.ops, perCpu, v));
      expect(sectionOf(area, 0)).toBe(0n);
      failure('COEXIST_EINVAL', () => SECTIONS['load_add_load_load_add_store']?.done(lib.ops, perCpu, v));
      expect(sectionOf(area, 0)).toBe(0n);
      if (index === 'slot') return;
      at((point) => point === 5 && words.set(v, 9));
      expect(lib.ops.load_cbne_store_store(perCpu, v, 7, v + 16, 1, 8, 0)).toBe(lib.ops.ABORTED);
      at(undefined);
      expect([words.get(v), sectionOf(area, 0)]).toEqual([9, 0n]);
    });

    test('no value is that of the section before, whichever copy of the thread announced it', async () => {
      const area = perCpuArea(backend);
      const [a, b] = [await opened(area), await opened(area, INJECTED_AGAIN)];
      const seen: bigint[] = [];
      for (let n = 0; n < 12; n++) {
        const { lib, perCpu, at } = n % 3 === 0 ? a : b;
        at((point) => point === 3 && seen.push(sectionOf(area, 0)));
        expect(lib.ops.load_cbne_load_cbne_store(perCpu, planted(area), 7, planted(area) + 8, 0, 7, 0)).toBe(0);
        at(undefined);
      }
      expect(seen.length).toBe(12);
      for (let n = 1; n < 12; n++) expect(seen[n], `section ${n}`).not.toBe(seen[n - 1]);
      expect(seen).not.toContain(0n);
    });

    test('operations 1 and 2 announce nothing, and leave what is announced', async () => {
      const area = perCpuArea(backend);
      const perCpu = on(backend, () => new PerCpu('words', { bytes: 64, index, area }));
      const v = planted(area);
      announce(area, 0, 0x1234503n);
      for (const order of ['relaxed', 'release'] as const) {
        expect(ops.load_add_store(perCpu, v, 1, 0, order)).toBe(ops.DONE);
        expect(ops.load_cbne_store(perCpu, v, 8, 7, 0, order)).toBe(ops.DONE);
        expect(ops.load_cbne_store(perCpu, v, 8, 7, 0, order)).toBe(ops.COMPARE_FAILED);
      }
      expect(sectionOf(area, 0)).toBe(0x1234503n);
      // One that was cut is replaced by the next section, and ends with it.
      ops.load_cbne_store_store(perCpu, v, 7, v + 16, 1, 8, 0);
      expect(sectionOf(area, 0)).toBe(0n);
    });

    test('a fence waits for a section that a thread is in, blocking and not, and ends with it', async () => {
      const area = perCpuArea(backend);
      on(backend, () => new PerCpu('words', { bytes: 64, index, area }));
      const { actor, gate, run } = await held(backend, area, index);
      const commits = contentAt(area, 'words', index, 1);
      expect(parts(sectionOf(area, 1))[0]).toBe(5);
      failure('COEXIST_ETIMEDOUT', () => fence({ area, timeout: 60 }));
      const asynchronous = fenceAsync({ area, timeout: 15_000 });
      let ended = false;
      void asynchronous.then(() => {
        ended = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect([ended, wordsIn(area).get(commits)]).toEqual([false, 0]);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      fence({ area, timeout: 15_000 });
      // What the section committed is there when the fence is over.
      expect(wordsIn(area).get(commits)).toBe(1);
      await asynchronous;
      expect(await run).toBe(ops.DONE);
      await actor.terminate();
    });

    test('a thread that dies in a section: the fence ends with the proof, and the section has not committed', async () => {
      const area = perCpuArea(backend);
      const perCpu = on(backend, () => new PerCpu('words', { bytes: 64, index, area }));
      const { actor, run } = await held(backend, area, index);
      run.catch(() => {});
      const announced = sectionOf(area, 1);
      const identity = bytesOf(area).owner(1);
      await actor.terminate();
      await until('the death is visible', () => !livesInProc(identity));
      fence({ area, timeout: 15_000 });
      await fenceAsync({ area, timeout: 15_000 });
      expect([sectionOf(area, 1), bytesOf(area).owner(1)]).toEqual([announced, identity]);
      expect(wordsIn(area).list(contentAt(area, 'words', index, 1), 2)).toEqual([0, 0]);
      // The next owner's claim takes it away.
      expect(area.reclaim()).toBe(1);
      const next = await startActor(backend);
      await next.run(
        async ({ load, state }, { url, memory }) => {
          const lib = await load(url);
          state['kept'] = lib.register({ area: lib.openArea(memory) });
        },
        { url: INJECTED, memory: memoryOf(area) },
      );
      expect(sectionOf(area, 1)).toBe(0n);
      perCpu.dispose();
      await next.terminate();
    });
  });

  describe('a fence', () => {
    const SECTION = 0x12303n;
    /** An area in whose slot 1 a thread is in a section. */
    const forged = (owner = Y, section = SECTION): { area: Area; bytes: ReturnType<typeof bytesOf> } => {
      const area = perCpuArea(backend);
      const bytes = bytesOf(area);
      bytes.plant(0, { owner: UNKNOWABLE + 7n });
      bytes.plant(1, { owner });
      announce(area, 1, section);
      return { area, bytes };
    };
    const options = (area: Area) => ({ area, timeout: 1000 });

    test('where nobody is in a section: it neither sleeps nor writes', async () => {
      const { area, bytes } = forged(Y, 0n);
      const before = bytes.snapshot();
      const writes = writesOf(area, () => {
        expect(withSleeps(() => fence({ area })).sleeps).toEqual([]);
      });
      const waitAsync = vi.spyOn(Atomics, 'waitAsync');
      await fenceAsync({ area });
      expect(waitAsync.mock.calls).toEqual([]);
      waitAsync.mockRestore();
      expect([writes, bytes.changed(before)]).toEqual([[], []]);
    });

    test('waits for no slot that is free, being prepared, above high water, or its own', () => {
      for (const owner of [0n, -Y, -X, X]) {
        const { area } = forged(owner);
        expect(
          withSleeps(() => fence({ area })),
          `owner ${owner}`,
        ).toMatchObject({ sleeps: [], error: undefined });
      }
      const { area, bytes } = forged();
      bytes.setHeader('slot_high_water', 1);
      expect(withSleeps(() => fence({ area }))).toMatchObject({ sleeps: [], error: undefined });
      const own = perCpuArea(backend);
      const { slot } = register({ area: own });
      announce(own, slot, SECTION);
      expect(withSleeps(() => fence({ area: own }))).toMatchObject({ sleeps: [], error: undefined });
      expect(sectionOf(own, slot)).toBe(SECTION);
    });

    test.each([
      ['0', (area: Area) => announce(area, 1, 0n)],
      ['the next section', (area: Area) => announce(area, 1, SECTION + 256n)],
      [
        'the same operation of another count, in the high half',
        (area: Area) => announce(area, 1, SECTION + (1n << 40n)),
      ],
      ['another owner', (area: Area) => bytesOf(area).setOwner(1, Y + 1n)],
      ['no owner', (area: Area) => bytesOf(area).setOwner(1, 0n)],
      ['an owner being prepared', (area: Area) => bytesOf(area).setOwner(1, -Y)],
      ['a dead owner, in another word', (area: Area) => bytesOf(area).setOwner(1, dead)],
    ])('waits until it finds: %s', (_, end) => {
      const { area } = forged();
      const { sleeps, error } = withSleeps(
        () => fence(options(area)),
        (n) => n === 3 && end(area),
      );
      expect([sleeps.length, error]).toEqual([4, undefined]);
      const index = (bytesOf(area).slotAt(1) + 8) / 4;
      for (const sleep of sleeps) {
        expect(sleep.ms).toBeLessThanOrEqual(50);
        // On the half of the word that successive sections differ in.
        expect([sleep.index, sleep.value]).toEqual([index, Number(SECTION)]);
      }
    });

    test('an owner that is proven dead ends it within 50 ms, or with its time', () => {
      const { area, bytes } = forged(dead);
      const before = bytes.snapshot();
      const { sleeps, error } = withSleeps(() => fence(options(area)));
      expect(error).toBeUndefined();
      const slept = sleeps.reduce((sum, { ms }) => sum + ms, 0);
      expect(slept).toBeGreaterThan(0);
      expect(slept).toBeLessThanOrEqual(100);
      for (const { ms } of sleeps) expect(ms).toBeLessThanOrEqual(50);
      expect(withSleeps(() => fence({ area, timeout: 0 }))).toMatchObject({ sleeps: [], error: undefined });
      expect(bytes.changed(before)).toEqual([]);
    });

    test('waits for each slot in turn, and not for sections that begin while it waits', () => {
      const { area } = forged();
      bytesOf(area).plant(2, { owner: Y + 1n });
      announce(area, 2, SECTION);
      const { sleeps, error } = withSleeps(
        () => fence(options(area)),
        (n) => {
          // Slot 0 has been looked at; slot 3 was above high water when it began.
          announce(area, 0, 0x99905n);
          bytesOf(area).plant(3, { owner: Y + 2n });
          announce(area, 3, SECTION);
          if (n === 1) announce(area, 1, 0n);
          if (n === 3) announce(area, 2, 0n);
        },
      );
      expect(error).toBeUndefined();
      const index = (slot: number): number => (bytesOf(area).slotAt(slot) + 8) / 4;
      expect(sleeps.map((sleep) => sleep.index)).toEqual([index(1), index(1), index(2), index(2)]);
    });

    test('gives up for a thread that was cut in its section, or whose death cannot be proven', async () => {
      const { area, bytes } = forged();
      const before = bytes.snapshot();
      const { sleeps, error } = withSleeps(() => fence({ area, timeout: 500 }));
      expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT', found: 500 });
      expect(String(error)).toContain('slot 1');
      const slept = sleeps.reduce((sum, { ms }) => sum + ms, 0);
      expect(slept).toBeGreaterThan(400);
      for (const { ms } of sleeps) expect(ms).toBeLessThanOrEqual(50);
      expect(withSleeps(() => fence({ area, timeout: 0 })).error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
      await rejection(
        'COEXIST_ETIMEDOUT',
        outOfTime((limits) => fenceAsync({ area, ...limits })),
      );
      expect(bytes.changed(before)).toEqual([]);
    });

    test('gives up for its signal', async () => {
      const { area } = forged();
      const reason = new Error('enough');
      failure('COEXIST_EABORTED', () => fence({ area, signal: AbortSignal.abort(reason) }));
      const controller = new AbortController();
      const waiting = fenceAsync({ area, signal: controller.signal });
      setTimeout(() => controller.abort(reason), 20);
      expect((await rejection('COEXIST_EABORTED', waiting)).found).toBe(reason);
      await rejection('COEXIST_EABORTED', fenceAsync({ area, signal: AbortSignal.abort(reason) }));
      failure('COEXIST_EINVAL', () => fence({ area, timeout: -1 }));
    });

    test('without blocking, it ends when the section does', async () => {
      const { area } = forged();
      const waiting = fenceAsync(options(area));
      setTimeout(() => announce(area, 1, 0n), 30);
      await waiting;
      expect(sectionOf(area, 1)).toBe(0n);
    });

    test('a thread that is not registered may fence, and stays so', () => {
      const area = perCpuArea(backend);
      const before = bytesOf(area).snapshot();
      fence({ area });
      expect(bytesOf(area).changed(before)).toEqual([]);
    });
  });
});

test('the CPU’s word stays held, and the announcement there, where a thread stops in a section', async () => {
  const area = perCpuArea('twin', { cpus: 1 });
  on('twin', () => new PerCpu('words', { bytes: 64, area }));
  const { actor, gate, run } = await held('twin', area, 'cpu', 0);
  const word = cpuWordOf(area, 'words', 0);
  expect((word.read('owner') as bigint) & (W - 1n)).toBe(bytesOf(area).owner(1));
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  expect(await run).toBe(ops.DONE);
  expect([word.read('owner'), sectionOf(area, 1)]).toEqual([0n, 0n]);
  await actor.terminate();
});

/** A thread that has begun operation 5 on its shard and stands before its commit, until the gate opens. It has slot 1. */
async function held(
  backend: Backend,
  area: Area,
  index: Index,
  shard = 1,
): Promise<{ actor: Actor; gate: Int32Array; run: Promise<number> }> {
  const actor = await startActor(backend);
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const run = actor.run(
    async ({ load }, { url, memory, index, gate, shard }) => {
      const lib = await load(url);
      const area = lib.openArea(memory);
      const perCpu = new lib.PerCpu('words', { bytes: 64, index, area });
      lib.injection.at = (point) => {
        if (point === 5) Atomics.wait(gate, 0, 0, 15_000);
      };
      const v = perCpu.at(shard);
      const status: number = lib.ops.load_cbne_store_store(perCpu, v, 0, v + 8, 5, 1, shard);
      lib.injection.at = () => {};
      return status;
    },
    { url: INJECTED, memory: memoryOf(area), index, gate, shard },
  );
  await until('the section has begun', () => sectionOf(area, 1) !== 0n);
  return { actor, gate, run };
}
