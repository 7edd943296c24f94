// A17, register called while a register or unregister of the same thread is under way: an inspector evaluation, which can
// fall between any two Atomics operations of the twin. The contract forbids registering there (docs/ABI.md, clause 3), and the
// inner or the outer registration may then be void. It is done here at every such point, to show what still holds: no
// other thread's slot is touched, what is left counts one too high at most, the thread can go on, its death frees the rest.

import { attach, register } from 'coexist';
import { describe, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import type { ActorContext } from '../../workers/actor.js';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { rawSlot, takenSlots } from '../support/slot.js';
import { modeEnv, untilFree } from '../support/steps.js';

/** What the evaluation does, between two operations of what. */
type Inner = 'register' | 'register and unregister' | 'unregister';
type Outer = 'first register' | 'nested register' | 'last unregister' | 'nested unregister';

interface Outcome {
  readonly steps: number;
  readonly wrong: string[];
  /** Slots that this thread was seen to own. */
  readonly slots: number[];
}

/** For each step: a neighbour in slot 0, the outer call, and at the step an evaluation of the inspector in this thread. */
async function evaluateAtEachStep(
  { load }: ActorContext,
  { urls, outer, inner, shared }: { urls: string[]; outer: Outer; inner: Inner; shared: boolean },
): Promise<Outcome> {
  const [a, b] = [await load(urls[0] as string), await load(urls[1] as string)];
  const { Session } = process.getBuiltinModule('node:inspector');
  const session = new Session();
  session.connect();
  const real = globalThis.Atomics;
  const target = globalThis as unknown as { reenter: () => void };
  const wrong: string[] = [];
  const slots = new Set<number>();
  const NEIGHBOUR = 1n << 30n;

  const run = (step: number): number => {
    const area = shared ? a.attach() : a.createArea({ slots: 4, blockBytes: 4096, heapBytes: 0 });
    const i32 = new Int32Array(area.buffer);
    const i64 = new BigInt64Array(area.buffer);
    const at = (slot: number, offset: number): number => 4096 + slot * 128 + offset;
    if (!shared) {
      i64[at(0, 32) >>> 3] = NEIGHBOUR;
      i32.set([0, 0, 0, 0, 0, 7], at(0, 0) >>> 2);
      i32[36 >>> 2] = 1;
    }
    const neighbour = Buffer.from(new Uint8Array(area.buffer, 4096, 128).slice()).toString('hex');
    const refuse = (what: string): void => void wrong.push(`step ${step}: ${what}`);

    const handles: core.Registration[] = [];
    const first = outer === 'first register' ? undefined : a.register({ area });
    const second = outer === 'nested unregister' ? b.register({ area }) : undefined;
    const held = first ?? second;
    target.reenter = () => {
      const handle = inner === 'unregister' ? held : b.register({ area });
      if (inner === 'register' && handle !== undefined) handles.push(handle);
      else handle?.[(Symbol.dispose ?? Symbol.for('Symbol.dispose')) as typeof Symbol.dispose]();
    };

    let count = 0;
    let entered = false;
    const stepping = Object.create(real) as Record<string, unknown>;
    for (const name of ['load', 'store', 'compareExchange', 'add', 'or', 'notify'] as const) {
      stepping[name] = (...args: unknown[]) => {
        if (!entered && ++count === step) {
          entered = true;
          session.post('Runtime.evaluate', { expression: 'reenter()', silent: true }, (error, answer) => {
            const thrown = answer?.exceptionDetails?.exception?.description ?? error?.message;
            if (thrown !== undefined) refuse(`the evaluation threw ${thrown.split('\n')[0]}`);
          });
        }
        return (real[name] as (...args: unknown[]) => unknown)(...args);
      };
    }
    globalThis.Atomics = stepping as unknown as typeof Atomics;
    let made: core.Registration | undefined;
    try {
      if (outer === 'first register' || outer === 'nested register') made = b.register({ area });
      else (second ?? first)?.unregister();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'COEXIST_EUNREGISTERED') refuse(`the call threw ${message}`);
    } finally {
      globalThis.Atomics = real;
    }

    // A handle may be void by now, which is why the contract forbids this; then it says so and does nothing else.
    for (const handle of [made, ...handles, second, first]) {
      try {
        handle?.unregister();
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code !== 'COEXIST_EUNREGISTERED') refuse(message);
      }
    }
    // One too high at most.
    for (let slot = 1, end = Math.min(i32[36 >>> 2] as number, area.geometry.slotCapacity); slot < end; slot++) {
      const [owner, refcount] = [i64[at(slot, 32) >>> 3], i32[at(slot, 20) >>> 2]];
      if (owner !== 0n) slots.add(slot);
      if (owner !== 0n && (refcount as number) > 1) refuse(`slot ${slot} is left with a count of ${refcount}`);
    }
    const after = Buffer.from(new Uint8Array(area.buffer, 4096, 128).slice()).toString('hex');
    if (after !== neighbour) refuse("the neighbour's slot changed");
    // The thread can go on.
    const again = b.register({ area });
    if (again.cpuId() < 0 || again.slot === 0) refuse('no registration afterwards');
    again.unregister();
    if ((i32[36 >>> 2] as number) > area.geometry.slotCapacity) refuse('high water above the capacity');
    return entered ? -1 : count;
  };

  let steps = 0;
  for (;;) {
    const total = run(steps + 1);
    if (total >= 0) break;
    steps++;
  }
  session.disconnect();
  return { steps, wrong, slots: [...slots] };
}

const urls = [copyUrl('a', 'core.js'), copyUrl('b', 'core.js')];
const cases = [
  ['first register', 'register', 15],
  ['first register', 'register and unregister', 15],
  ['nested register', 'register', 2],
  ['nested register', 'register and unregister', 2],
  ['nested register', 'unregister', 2],
  ['last unregister', 'register', 4],
  ['last unregister', 'register and unregister', 4],
  ['nested unregister', 'register', 2],
  ['nested unregister', 'register and unregister', 2],
  ['nested unregister', 'unregister', 2],
] as const;

describe('between any two Atomics operations', () => {
  test.each(cases)('during the %s: %s', async (outer, inner, least) => {
    const actor = await Actor.start({ env: modeEnv('twin') });
    const { steps, wrong } = await actor.run(evaluateAtEachStep, { urls, outer, inner, shared: false });
    expect(wrong).toEqual([]);
    expect(steps).toBeGreaterThanOrEqual(least);
    await actor.terminate();
  });

  test("in the process's area: what it left goes when the thread does", async () => {
    const area = attach();
    const own = register();
    const before = rawSlot(area, own.slot);
    const actor = await Actor.start({ env: modeEnv('twin') });
    for (const inner of ['register', 'register and unregister'] as const) {
      const args = { urls, outer: 'first register', inner, shared: true } as const;
      const { steps, wrong } = await actor.run(evaluateAtEachStep, args);
      expect(wrong).toEqual([]);
      expect(steps).toBeGreaterThanOrEqual(15);
    }
    await actor.terminate();
    await untilFree(area, ...takenSlots(area).filter((slot) => slot !== own.slot));
    expect(takenSlots(area)).toEqual([own.slot]);
    expect(rawSlot(area, own.slot)).toEqual(before);
    own.unregister();
  });
});
