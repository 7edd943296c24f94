// What one stress thread holds: its handles, what it writes about them into the ledger, and the checks it makes of its own
// slot after every operation. The sequence word in its row is odd while an operation is under way.

import { getBuiltinModule } from 'node:process';
import type { Registration } from 'coexist';
import { THREAD_KEY } from 'coexist/abi';
import type { Ledger, Rule } from './stress-ledger.js';
import type { Slots } from './stress-slots.js';

export interface Handle {
  /** Undefined where the registration is inside something else, such as a counter. */
  readonly registration?: Registration;
  end(): void;
}

export interface Holdings {
  readonly handles: readonly Handle[];
  /** The slot held, -1 for none. */
  slot(): number;
  /** Opens one more handle; false where the table is full. */
  add(open: () => Handle): boolean;
  /** Makes the slot this thread's until it ends. */
  addPermanent(open: () => Handle): boolean;
  /** Ends the k-th handle. */
  drop(k: number): void;
  /** Runs operations that leave the handles alone and are cut by a vm timeout somewhere. */
  cut(run: () => void): void;
  /** Checks this thread's slot, or that it has none. */
  check(): void;
  violate(rule: Rule, expected: number, found: number): void;
}

/** What a thread records: the first few tell, the rest follows from them. */
const MOST_VIOLATIONS = 3;

const shelf = getBuiltinModule('node:worker_threads') as unknown as Record<symbol, Int32Array | undefined>;

export function createHoldings(me: number, ledger: Ledger, slots: Slots): Holdings {
  const { i32 } = ledger;
  const handles: Handle[] = [];
  let slot = -1;
  let generation = 0;
  let slack = 0;
  let permanent = false;
  let identity = 0n;
  let violations = 0;
  let looks = 0;

  function violate(rule: Rule, expected: number, found: number): void {
    if (++violations > MOST_VIOLATIONS) return;
    ledger.record({ rule, seenBy: me, slot, expected, found, row: slot < 0 ? [] : slots.dump(slot) });
  }

  // What has happened since the last operation must not be blamed on this one, nor lost in its error.
  function begin(): void {
    check();
    ledger.bump(me, 'sequence');
  }

  function finish(): void {
    ledger.set(me, 'slot', slot + 1);
    ledger.set(me, 'generation', generation);
    ledger.set(me, 'expected', permanent ? 0 : handles.length);
    ledger.set(me, 'slack', slack);
    check();
    ledger.bump(me, 'operations');
    ledger.bump(me, 'sequence');
  }

  // From the thread anchor (docs/ABI.md, clause 16), which is there from the first claim on.
  function learn(): void {
    const anchor = shelf[Symbol.for(THREAD_KEY)];
    if (identity !== 0n || anchor === undefined) return;
    identity = (BigInt(anchor[3]!) << 32n) | BigInt(anchor[2]! >>> 0);
    ledger.set(me, 'identityLow', anchor[2]!);
    ledger.set(me, 'identityHigh', anchor[3]!);
  }

  function take(): void {
    learn();
    // A counter does not tell its slot; the anchor does.
    slot = shelf[Symbol.for(THREAD_KEY)]![0]!;
    generation = slots.field(slot, 'generation');
    const mark = ledger.markAt(slot);
    for (let seen = 0; seen !== me; ) {
      const found = Atomics.compareExchange(i32, mark, seen, me);
      if (found === seen) {
        // That thread died holding the slot, or else it will find this word.
        if (seen !== 0) ledger.set(seen, 'replaced', seen);
        break;
      }
      seen = found;
    }
  }

  function unmark(): void {
    const found = Atomics.compareExchange(i32, ledger.markAt(slot), me, 0);
    if (found !== me) violate('two owners of one slot', me, found);
  }

  function check(): void {
    if (slot < 0) {
      checkNone();
      return;
    }
    if (ledger.get(me, 'replaced') === me) violate('two owners of one slot', 0, me);
    const mark = Atomics.load(i32, ledger.markAt(slot));
    if (mark !== me) violate('two owners of one slot', me, mark);
    const owner = slots.owner(slot);
    if (owner !== identity) violate('live owner reclaimed', Number(identity & 0x3fffffn), Number(owner & 0x3fffffn));
    const now = slots.field(slot, 'generation');
    if (now !== generation) violate('generation changed while registered', generation, now);
    const count = slots.field(slot, 'refcount');
    const least = permanent ? 0 : handles.length;
    if (count < least || count > least + slack) violate('count lost', least, count);
    if (slots.cpuId(slot) < 0) violate('slot content wrong', slot, slots.cpuId(slot));
  }

  function checkNone(): void {
    // Every so often: it looks at every slot.
    if (slack === 0 && looks++ % 16 === 0 && ownsAny()) violate('slot left behind', 0, 1);
  }

  function ownsAny(): boolean {
    learn();
    for (let i = 0; i < slots.capacity; i++) {
      const owner = slots.owner(i);
      if (identity !== 0n && (owner === identity || owner === -identity)) return true;
    }
    return false;
  }

  function add(open: () => Handle, counted: boolean): boolean {
    begin();
    let handle: Handle;
    try {
      handle = open();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'COEXIST_EFULL' || slot >= 0) throw error;
      ledger.bump(me, 'full');
      finish();
      return false;
    }
    if (slot < 0) take();
    handles.push(handle);
    if (counted) ledger.bump(me, 'registrations');
    const { registration } = handle;
    if (registration !== undefined) {
      if (registration.slot !== slot) violate('one thread owns two slots', slot, registration.slot);
      if (registration.generation !== generation) {
        violate('generation changed while registered', generation, registration.generation);
      }
      if (registration.permanent !== permanent) violate('slot content wrong', Number(permanent), -1);
    }
    finish();
    return true;
  }

  return {
    handles,
    slot: () => slot,
    add: (open) => add(open, !permanent),
    addPermanent(open) {
      permanent = true;
      const added = add(open, true);
      if (!added) permanent = false;
      return added;
    },
    drop(k) {
      begin();
      const last = handles.length === 1 && !permanent;
      if (last) unmark();
      const [handle] = handles.splice(k, 1);
      handle!.end();
      if (last) {
        // A count that a vm timeout left too high keeps the slot until this thread ends.
        if (slots.owner(slot) !== identity) slack = 0;
        else if (slack === 0) violate('slot left behind', -1, slot);
        slot = -1;
      }
      finish();
    },
    cut(run) {
      begin();
      run();
      slack = handles.length === 0 && !ownsAny() ? 0 : slack + 1;
      ledger.bump(me, 'cuts');
      finish();
    },
    check,
    violate,
  };
}
