// Steps that many tests send to actors: register, unregister, look, die. Each is a whole function that sees only its arguments.

import type { Area } from 'coexist';
import type { Registration, SlotRow } from '../../src/core.js';
import type { ActorContext } from '../../workers/actor.js';
import { Actor, until } from './actor.js';
import { copyUrl } from './copies.js';
import { rawSlot } from './slot.js';

/** What a registration is, in a form that can be posted. */
export interface Registered {
  readonly slot: number;
  readonly generation: number;
  readonly cpuId: number;
  readonly row: SlotRow;
}

/** How transitions run in an actor; the other mode than this process's is as good a copy as any. */
export const modes = ['wasm', 'twin'] as const;
export type Mode = (typeof modes)[number];

/** Environment of an actor, or of a child, that runs in this mode. */
export function modeEnv(mode: Mode): NodeJS.ProcessEnv {
  return { ...process.env, COEXIST_NO_WASM: mode === 'twin' ? '1' : '' };
}

async function registerStep(
  { load, state }: ActorContext,
  { urls, name }: { urls: string[]; name: string | undefined },
): Promise<Registered> {
  let last: Registration | undefined;
  for (const url of urls) {
    const { register } = await load(url);
    last = register(name === undefined ? {} : { name });
    state.registrations.push(last);
  }
  const { attach } = await load(urls[0] as string);
  const { slot, generation } = last as Registration;
  const row = attach()
    .inspect()
    .slots.find((candidate) => candidate.slot === slot);
  return { slot, generation, cpuId: (last as Registration).cpuId(), row: row as SlotRow };
}

/** Registers once by each of these copies. */
export function registerIn(actor: Actor, copies = 'a', name?: string): Promise<Registered> {
  return actor.run(registerStep, { urls: [...copies].map((copy) => copyUrl(copy as 'a' | 'b')), name });
}

/** Ends the actor's registrations, the newest first. */
export function unregisterIn(actor: Actor): Promise<void> {
  return actor.run(({ state }) => {
    for (const registration of state.registrations.splice(0).reverse()) registration.unregister();
  });
}

/** Starts several actors at once. */
export function startActors(count: number, env?: NodeJS.ProcessEnv): Promise<Actor[]> {
  return Promise.all(Array.from({ length: count }, () => Actor.start(env === undefined ? {} : { env })));
}

export async function terminateAll(actors: readonly Actor[]): Promise<void> {
  await Promise.all(actors.map((actor) => actor.terminate()));
}

/** Reclaims until these slots are free. A thread that has exited may stay in /proc for a while. */
export async function untilFree(area: Area, ...slots: number[]): Promise<void> {
  await until(`slots ${slots.join(', ')} are free`, () => {
    area.reclaim();
    return slots.every((slot) => rawSlot(area, slot).owner === 0n);
  });
}
