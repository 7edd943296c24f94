// Bugs to plant in the built library (in the JavaScript twin, or the code around it), each with the protocol that must find it. To
// add one: copy the text from the source as esbuild prints it (double quotes, no comments, no types), and say what the
// failure is about.

import { callMutations } from './explore-call-mutations.js';
import { lockMutations } from './explore-lock-mutations.js';
import { moduleMutations } from './explore-module-mutations.js';
import type { Mutation } from './explore-mutant.js';
import { percpuMutations } from './explore-percpu-mutations.js';
import { ringMutations } from './explore-ring-mutations.js';
import { singletonMutations } from './explore-singleton-mutations.js';

export const mutations: readonly Mutation[] = [
  {
    name: 'check then set in claim',
    protocol: 'register',
    threads: 2,
    maxPreemptions: 2,
    kills: 0,
    finds: 'lost slot',
    find: 'if (Atomics.compareExchange(i64, ownerIndex(at), 0n, -id) !== 0n) continue;',
    replace: 'if (Atomics.load(i64, ownerIndex(at)) !== 0n) continue; Atomics.store(i64, ownerIndex(at), -id);',
  },
  {
    name: 'high water after the claim',
    protocol: 'register',
    threads: 2,
    maxPreemptions: 1,
    kills: 0,
    finds: 'above the high water',
    find: `for (; ; ) {
        const water = Atomics.load(u32, HIGH_WATER);
        if (water > i || Atomics.compareExchange(u32, HIGH_WATER, water, i + 1) === water) break;
      }
      if (Atomics.compareExchange(i64, ownerIndex(at), 0n, -id) !== 0n) continue;`,
    replace: `if (Atomics.compareExchange(i64, ownerIndex(at), 0n, -id) !== 0n) continue;
      for (; ; ) {
        const water = Atomics.load(u32, HIGH_WATER);
        if (water > i || Atomics.compareExchange(u32, HIGH_WATER, water, i + 1) === water) break;
      }`,
  },
  {
    name: 'owner before reset',
    protocol: 'observe',
    threads: 2,
    maxPreemptions: 2,
    kills: 0,
    finds: 'registrations',
    find: `reset(at, i);
    const generation = at + SLOT.generation.offset >>> 2;
    Atomics.store(u32, generation, Atomics.load(u32, generation) + 1 >>> 0 || 1);
    if (hasThreadId) Atomics.store(i32, at + SLOT.thread_id.offset >>> 2, threadId);
    return Atomics.compareExchange(i64, ownerIndex(at), -id, id) === -id;`,
    replace: `const done = Atomics.compareExchange(i64, ownerIndex(at), -id, id) === -id;
    reset(at, i);
    const generation = at + SLOT.generation.offset >>> 2;
    Atomics.store(u32, generation, Atomics.load(u32, generation) + 1 >>> 0 || 1);
    if (hasThreadId) Atomics.store(i32, at + SLOT.thread_id.offset >>> 2, threadId);
    return done;`,
  },
  {
    name: 'cpu id before the count',
    protocol: 'observe',
    threads: 2,
    maxPreemptions: 1,
    kills: 0,
    finds: 'shows 0 registrations',
    find: `Atomics.store(u32, at + SLOT.refcount.offset >>> 2, count);
      Atomics.store(i32, at + SLOT.cpu_id_start.offset >>> 2, cpu);
      const cpuId = at + SLOT.cpu_id.offset >>> 2;
      return Atomics.compareExchange(i32, cpuId, CPU_ID_UNINITIALIZED, cpu) === CPU_ID_UNINITIALIZED ? 1 : 0;`,
    replace: `Atomics.store(i32, at + SLOT.cpu_id_start.offset >>> 2, cpu);
      const cpuId = at + SLOT.cpu_id.offset >>> 2;
      const done = Atomics.compareExchange(i32, cpuId, CPU_ID_UNINITIALIZED, cpu) === CPU_ID_UNINITIALIZED ? 1 : 0;
      Atomics.store(u32, at + SLOT.refcount.offset >>> 2, count);
      return done;`,
  },
  {
    name: 'count taken back before the cpu id',
    protocol: 'observe',
    threads: 2,
    maxPreemptions: 1,
    kills: 0,
    finds: 'shows 0 registrations',
    find: `Atomics.store(i32, at + SLOT.cpu_id.offset >>> 2, CPU_ID_UNINITIALIZED);
      Atomics.store(i32, at + SLOT.cpu_id_start.offset >>> 2, 0);
      Atomics.store(u32, at + SLOT.refcount.offset >>> 2, 0);
      anchor[0] = -1;
      release(at, i, low, high);`,
    replace: `Atomics.store(u32, at + SLOT.refcount.offset >>> 2, 0);
      Atomics.store(i32, at + SLOT.cpu_id.offset >>> 2, CPU_ID_UNINITIALIZED);
      Atomics.store(i32, at + SLOT.cpu_id_start.offset >>> 2, 0);
      anchor[0] = -1;
      release(at, i, low, high);`,
  },
  {
    name: 'freed before it is taken back',
    protocol: 'register',
    threads: 2,
    maxPreemptions: 2,
    kills: 0,
    finds: 'counts 0',
    find: `Atomics.store(i32, at + SLOT.cpu_id.offset >>> 2, CPU_ID_UNINITIALIZED);
      Atomics.store(i32, at + SLOT.cpu_id_start.offset >>> 2, 0);
      Atomics.store(u32, at + SLOT.refcount.offset >>> 2, 0);
      anchor[0] = -1;
      release(at, i, low, high);`,
    replace: `release(at, i, low, high);
      Atomics.store(i32, at + SLOT.cpu_id.offset >>> 2, CPU_ID_UNINITIALIZED);
      Atomics.store(i32, at + SLOT.cpu_id_start.offset >>> 2, 0);
      Atomics.store(u32, at + SLOT.refcount.offset >>> 2, 0);
      anchor[0] = -1;`,
  },
  {
    name: 'release without a comparison',
    protocol: 'reclaim',
    threads: 2,
    maxPreemptions: 2,
    kills: 0,
    finds: 'COEXIST_EUNREGISTERED',
    find: 'if (Atomics.compareExchange(i64, ownerIndex(at), owner, 0n) !== owner) return 0;',
    replace: 'Atomics.store(i64, ownerIndex(at), 0n);',
  },
  {
    name: 'hint raised without a second look',
    protocol: 'register',
    threads: 2,
    maxPreemptions: 2,
    kills: 0,
    finds: 'the hint is',
    find: 'for (let k = from; k < i; k++) { if (looksFree(slotAt(k))) { lowerHint(k); return; } }',
    replace: '',
  },
  {
    name: 'entry ready before its name',
    protocol: 'key',
    threads: 2,
    maxPreemptions: 1,
    kills: 0,
    finds: 'two entries',
    find: 'for (let k = 0; k < NAME_WORDS; k++) Atomics.store(i32, (at + ENTRY.name.offset >>> 2) + k, name[k] ?? 0); Atomics.store(i32, state, ENTRY_READY);',
    replace:
      'Atomics.store(i32, state, ENTRY_READY); for (let k = 0; k < NAME_WORDS; k++) Atomics.store(i32, (at + ENTRY.name.offset >>> 2) + k, name[k] ?? 0);',
  },
  {
    name: 'missing notify of a ready entry',
    protocol: 'key',
    threads: 2,
    maxPreemptions: 1,
    kills: 0,
    finds: 'unnoticed',
    find: 'Atomics.store(i32, state, ENTRY_READY); Atomics.notify(i32, state);',
    replace: 'Atomics.store(i32, state, ENTRY_READY);',
  },
  {
    name: 'takeover without a second look',
    protocol: 'key',
    threads: 2,
    maxPreemptions: 2,
    kills: 1,
    finds: 'its sum is',
    find: 'if (creator !== 0n && Atomics.load(i32, state) === ENTRY_READY) return;',
    replace: '',
  },
  {
    name: 'takeover without proof of death',
    protocol: 'key',
    threads: 2,
    maxPreemptions: 2,
    kills: 0,
    finds: 'two entries',
    find: 'creator === identityIn(core.anchor) || isDead(core, creator)',
    replace: 'creator === identityIn(core.anchor) || seen === 1',
  },
  ...lockMutations,
  ...ringMutations,
  ...percpuMutations,
  ...singletonMutations,
  ...moduleMutations,
  ...callMutations,
];
