// On Node 20 imports are resolved in a thread of the hooks' own, require() in the thread that it serves. Each has a copy of the state, and
// sends the other one what it changes. A lock makes their decisions one after the other: whoever has it reads first what has come, so that both
// copies are the same whenever something is decided. Both threads end together, so nobody waits for a dead one; the wait is bounded all the same.

import { CoexistError } from '../abi/errors.js';
import { process } from '../host/node/builtin.js';
import { apply, type State, type StateEvent } from './state.js';

const { receiveMessageOnPort } = process.getBuiltinModule('node:worker_threads');

const LOCK_MS = 10_000;

/** What both threads have in shared memory, by words: the lock itself, and how many events they have sent, which spares most looks at the port. */
export const LOCK_BYTES = 8;
const LOCK = 0;
const SENT = 1;

/** A state, and the way to change it. */
export interface Changes {
  /** All that looks at the state and changes it, in one go. Enters itself. */
  locked<T>(run: () => T): T;
  /** Only inside `locked`. */
  emit(event: StateEvent): void;
}

/** Of a thread that is alone with its state. */
export function alone(state: State, onEvent: (event: StateEvent) => void): Changes {
  const { locked, note } = telling(onEvent);
  return {
    locked: (run) => locked(run, NOTHING),
    emit(event) {
      apply(state, event);
      note(event);
    },
  };
}

const NOTHING = { enter() {}, leave() {} };

/** Tells of events when the outermost of what is going on is over, and the lock is free: whoever listens may do as he likes. */
function telling(onEvent: (event: StateEvent) => void) {
  const events: StateEvent[] = [];
  let depth = 0;
  return {
    note: (event: StateEvent): void => {
      events.push(event);
    },
    locked<T>(run: () => T, { enter, leave }: { enter(): void; leave(): void }): T {
      if (depth > 0) return run();
      enter();
      depth++;
      try {
        return run();
      } finally {
        depth--;
        leave();
        for (const event of events.splice(0)) onEvent(event);
      }
    },
  };
}

interface Port {
  postMessage(message: unknown): void;
}

export function replicated(
  state: State,
  port: Port,
  lock: SharedArrayBuffer,
  onEvent: (event: StateEvent) => void,
): Changes {
  const words = new Int32Array(lock);
  let seen = 0;
  const { locked, note } = telling(onEvent);

  function read(): void {
    // Ordered by the lock, inside which alone it changes.
    const sent = words[SENT] as number;
    if (sent === seen) return;
    seen = sent;
    for (;;) {
      const got = receiveMessageOnPort(port as never) as { message: StateEvent } | undefined;
      if (got === undefined) return;
      apply(state, got.message);
      note(got.message);
    }
  }

  const held = {
    enter(): void {
      while (Atomics.compareExchange(words, LOCK, 0, 1) !== 0) {
        if (Atomics.wait(words, LOCK, 1, LOCK_MS) !== 'timed-out') continue;
        throw new CoexistError('COEXIST_ETIMEDOUT', `the thread of the module hooks kept its lock for ${LOCK_MS} ms`, {
          found: 'locked',
          expected: 'free',
          remedy: 'Look for a debugger, or a suspended process, that holds up the thread of the module hooks.',
        });
      }
      read();
    },
    leave(): void {
      Atomics.store(words, LOCK, 0);
      Atomics.notify(words, LOCK, 1);
    },
  };
  return {
    locked: (run) => locked(run, held),
    emit(event) {
      apply(state, event);
      port.postMessage(event);
      seen = words[SENT] = (words[SENT] as number) + 1;
      note(event);
    },
  };
}
