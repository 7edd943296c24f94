// What can be wrong with a singleton. Every message names the key, what lives under it, and whose it is: thread and slot.

import { type CoexistCode, CoexistError, show } from '../abi/errors.js';
import { SINGLETON_PHASES } from '../abi/singleton.js';
import { SLOT } from '../abi/slot.js';
import type { AreaCore } from '../area/core.js';
import { host } from '../host/host.js';
import { actorOf, causeOf, generationOf, phaseOf, type Record, wordOf } from './record.js';
import type { InstanceType } from './types.js';

/** A thread, as messages and listings name it. */
export interface ThreadName {
  /** Its identity, in decimal. */
  readonly identity: string;
  /** The slot it is registered in, if it is. */
  readonly slot: number | undefined;
  /** The runtime's id of a registered thread. */
  readonly threadId: number | undefined;
  /** Whether it lives; undefined where that cannot be proven. */
  readonly alive: boolean | undefined;
}

export function threadName(core: AreaCore, self: bigint, identity: bigint): ThreadName {
  const liveness = identity === self ? 'alive' : host.liveness(identity, self);
  const alive = liveness === 'unknown' ? undefined : liveness === 'alive';
  const name = { identity: String(identity), alive };
  for (let i = 0, end = core.highWater(); i < end; i++) {
    if (Atomics.load(core.views.i64, core.ownerIndex(i)) !== identity) continue;
    return { ...name, slot: i, threadId: Atomics.load(core.views.i32, (core.slotAt(i) + SLOT.thread_id.offset) >>> 2) };
  }
  const own = identity === self ? host.threadId : undefined;
  return { ...name, slot: undefined, threadId: own };
}

function spoken({ core, place }: Record, identity: bigint): string {
  const { slot, threadId, alive } = threadName(core, place.ground.self, identity);
  const names = [
    threadId === undefined ? `the thread ${identity}` : `thread ${threadId}`,
    slot === undefined ? '' : `slot ${slot}`,
    alive === false ? 'which has ended' : '',
  ];
  return names.filter((name) => name !== '').join(', ');
}

const holderOf = ({ core, place }: Record, identity: bigint): ThreadName =>
  threadName(core, place.ground.self, identity);

/** Another instance is there, or is being made. */
export function exists(record: Record, live: InstanceType | undefined, wanted: InstanceType): CoexistError {
  const state = wordOf(record, 'state');
  const actor = actorOf(record);
  const what = `${SINGLETON_PHASES[phaseOf(state)]} in generation ${generationOf(state)}`;
  const other = live !== undefined && live.number !== wanted.number;
  const problem = `${record.place.label} is ${what}, of type ${show(live?.name ?? wanted.name)}, made by ${spoken(record, actor)}`;
  return new CoexistError('COEXIST_EEXIST', other ? `${problem}; type ${show(wanted.name)} cannot be had` : problem, {
    found: { key: record.key, type: live?.name, version: live?.version, holder: holderOf(record, actor) },
    expected: other ? `no instance, or one of type ${wanted.name}` : 'no instance',
    remedy: other
      ? 'Two declarations use one key: give one of them another.'
      : 'Use acquire(), which joins the one that is there, or release that first.',
  });
}

export function failed(record: Record, cause: unknown): CoexistError {
  const text = causeOf(record);
  return new CoexistError(
    'COEXIST_EFAILED',
    `the constructor of ${record.place.label} threw in ${spoken(record, actorOf(record))}: ${text}`,
    {
      found: text,
      expected: 'a constructor that returns',
      remedy: 'Mend the cause, then acquire with { retry: true }.',
      cause: cause ?? new Error(text),
    },
  );
}

/** This thread runs the constructor, or the finalizer, and would wait for itself. */
export function recursion(record: Record, what: string): CoexistError {
  return new CoexistError(
    'COEXIST_EDEADLK',
    `this thread runs the ${what} of ${record.place.label} and would wait for itself`,
    {
      found: { key: record.key, holder: holderOf(record, record.place.ground.self) },
      expected: `a ${what} that does not acquire its own singleton`,
      remedy: `Use what the ${what} is given; let other flows of this thread wait with acquireAsync().`,
    },
  );
}

export function gone(record: Record, generation: number, cause?: unknown): CoexistError {
  const state = wordOf(record, 'state');
  return new CoexistError('COEXIST_EGONE', `generation ${generation} of ${record.place.label} is gone`, {
    found: { key: record.key, phase: SINGLETON_PHASES[phaseOf(state)], generation: generationOf(state) },
    expected: `generation ${generation}, live`,
    remedy: 'Release this reference and acquire a new one.',
    cause,
  });
}

export function released(record: Record, generation: number): CoexistError {
  return new CoexistError(
    'COEXIST_ENOTOWNER',
    `this reference to generation ${generation} of ${record.place.label} was released already`,
    {
      found: 'a released reference',
      expected: 'one that is held',
      remedy: 'Release each reference once, after its last use.',
    },
  );
}

export function voidLoan(record: Record, why: string): CoexistError {
  return new CoexistError('COEXIST_EGONE', `the loan of ${record.place.label} is void: ${why}`, {
    found: why,
    expected: 'a loan that was neither adopted nor revoked, whose lender lived until now or left others holding',
    remedy: 'Lend once for each worker, and adopt once in it.',
  });
}

export interface Refusal {
  readonly code: CoexistCode;
  readonly reason: string;
  readonly remedy: string;
}

export function refused(record: Record, { code, reason, remedy }: Refusal): CoexistError {
  return new CoexistError(code, `${record.place.label} cannot be made here: ${reason}`, {
    found: { key: record.key, reason },
    expected: 'a declaration with create, in a thread where it may be made',
    remedy,
  });
}
