// What there is of a singleton, as plain data, read without a reference, without the lock and without an effect, in every phase. The
// answers come from what was declared and from the object's words, never from an instance.

import type { CoexistCode } from '../abi/errors.js';
import {
  SINGLETON_CONSTRUCTING,
  SINGLETON_EMPTY,
  SINGLETON_FAILED,
  SINGLETON_LIVE,
  SINGLETON_PHASES,
} from '../abi/singleton.js';
import { type AreaLike, coreFor } from '../area/current.js';
import { entriesOf } from '../area/directory.js';
import { exists, failed, type ThreadName, threadName } from './errors.js';
import { actorOf, causeOf, generationOf, phaseOf, type Record, recordAt, stateOf, wordOf } from './record.js';
import { countedRows } from './rows.js';
import { creatorDied, type Plan } from './transitions.js';
import { type InstanceType, typeNumbered, typesOf } from './types.js';

export type SingletonPhase = (typeof SINGLETON_PHASES)[number];

/** The references of one thread, or one that it has lent. */
export interface HeldReferences extends ThreadName {
  readonly count: number;
  readonly loan: boolean;
}

export interface SingletonStatus {
  readonly key: string;
  /** Somebody in this process has declared it. */
  readonly declared: true;
  readonly phase: SingletonPhase;
  readonly generation: number;
  readonly kind: 'memory' | 'hosted';
  /** Of the instance; where there is none, as declared. */
  readonly type: string;
  readonly version: number;
  /** Bytes of a memory instance; 0: hosted. */
  readonly bytes: number;
  /** Who constructs it, made it, or finalizes it; who failed to. */
  readonly actor: ThreadName | undefined;
  /** Who holds it, dead threads included that nobody has subtracted yet. */
  readonly references: HeldReferences[];
  /** References that count, those of dead threads not included. */
  readonly total: number;
  /** What the constructor threw, while the phase is FAILED. */
  readonly cause: string | undefined;
}

export type Allowed =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly code: CoexistCode;
      readonly reason: string;
      /** Whose instance is in the way. */
      readonly holder?: ThreadName;
    };

/** Attempts at a reading that nobody has changed meanwhile. */
const TRIES = 5;

export function statusOf(record: Record, declared: InstanceType): SingletonStatus {
  for (let tries = 1; ; tries++) {
    const state = wordOf(record, 'state');
    const status = statusNow(record, declared, state);
    if (tries === TRIES || wordOf(record, 'state') === state) return status;
  }
}

function statusNow(record: Record, declared: InstanceType, state: number): SingletonStatus {
  const { core, place, key } = record;
  const [phase, generation] = [phaseOf(state), generationOf(state)];
  const there = phase !== SINGLETON_EMPTY;
  const type = (there ? typeNumbered(core, wordOf(record, 'type')) : undefined) ?? declared;
  const name = (identity: bigint): ThreadName => threadName(core, place.ground.self, identity);
  const references = countedRows(record, stateOf(SINGLETON_LIVE, generation)).map(({ identity, count, loan }) => ({
    ...name(identity),
    count,
    loan,
  }));
  return {
    key,
    declared: true,
    phase: SINGLETON_PHASES[phase] ?? 'EMPTY',
    generation,
    kind: type.bytes === 0 ? 'hosted' : 'memory',
    type: type.name,
    version: type.version,
    bytes: type.bytes,
    actor: there ? name(actorOf(record)) : undefined,
    references,
    total: references.reduce((sum, { alive, count }) => (alive === false ? sum : sum + count), 0),
    cause: phase === SINGLETON_FAILED ? causeOf(record) : undefined,
  };
}

/** Whether a creation would be accepted, as things are. */
export function allowedFor(record: Record, plan: Plan): Allowed {
  if (plan.refusal !== undefined) {
    return { allowed: false, code: plan.refusal.code, reason: plan.refusal.reason };
  }
  const state = wordOf(record, 'state');
  const phase = phaseOf(state);
  if (phase === SINGLETON_FAILED) {
    return { allowed: false, code: 'COEXIST_EFAILED', reason: failed(record, undefined).message };
  }
  if (phase !== SINGLETON_LIVE && phase !== SINGLETON_CONSTRUCTING) return { allowed: true };
  const holder = threadName(record.core, record.place.ground.self, actorOf(record));
  // Who comes next finds the same, and takes its place.
  if (phase === SINGLETON_LIVE ? creatorDied(record) : holder.alive === false) return { allowed: true };
  const live = typeNumbered(record.core, wordOf(record, 'type'));
  return { allowed: false, code: 'COEXIST_EEXIST', reason: exists(record, live, plan.type).message, holder };
}

/**
 * Everything that was declared in the process, by whatever copy. Constructs nothing, and answers the same before, during and after.
 * @throws as `attach()`
 * @since 0.1.0
 */
export function singletons(options?: { readonly area?: AreaLike | undefined }): SingletonStatus[] {
  const core = coreFor(options?.area);
  return entriesOf(core, 'singleton').flatMap((entry) => {
    const declared = typesOf(core, entry.name)[0];
    return declared === undefined ? [] : [statusOf(recordAt(core, entry), declared)];
  });
}
