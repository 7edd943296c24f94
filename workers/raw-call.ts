// A second implementation of channels and bells, written from docs/ABI.md (clauses 61 to 66) alone: it uses the layout, Atomics and
// nothing else of the library, and waits nowhere. Tests and explored programs let it talk with the library. Each function is
// one transition of the contract; who waits for what is the caller's affair.

import type * as Core from '../src/core.js';

export type CallAbi = Pick<
  typeof Core,
  | 'CELL'
  | 'CELL_DATA_OFFSET'
  | 'CHANNEL'
  | 'CHANNEL_CELLS_OFFSET'
  | 'CHANNEL_NAMES_OFFSET'
  | 'PHASE_GONE'
  | 'PHASE_IDLE'
  | 'PHASE_MASK'
  | 'PHASE_REPLY'
  | 'PHASE_REQUEST'
  | 'PHASE_TAKEN'
  | 'PHASE_WANT'
  | 'TICKET_SHIFT'
>;

export interface RawGround {
  readonly abi: CallAbi;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  /** Where the channel begins. */
  readonly at: number;
  readonly self: bigint;
  /** The slot this side says is its own. */
  readonly slot: number;
  isDead(identity: bigint): boolean;
  /** Where the bell of a slot lies. */
  bellAt(slot: number): number;
}

export interface Part {
  readonly method?: number;
  readonly encoding: number;
  readonly bytes: Uint8Array;
  readonly total?: number;
}

/** What a server says to a part; null: it wants the next one. */
export type Answer = { readonly encoding: number; readonly bytes: Uint8Array; readonly total?: number } | null;

const TICKETS = 2 ** 28;

export type RawChannel = ReturnType<typeof rawChannel>;

export function rawChannel(ground: RawGround) {
  const { abi, i32, i64, u8, at, self } = ground;
  const { CELL, CHANNEL, PHASE_MASK } = abi;
  const word = (name: keyof typeof CHANNEL): number => (at + CHANNEL[name].offset) >>> 2;
  const long = (name: 'server'): number => (at + CHANNEL[name].offset) >>> 3;
  const get = (name: keyof typeof CHANNEL): number => Atomics.load(i32, word(name));
  const cellAt = (k: number): number => at + abi.CHANNEL_CELLS_OFFSET + k * get('cell_bytes');
  const inCell = (k: number, name: keyof typeof CELL): number => (cellAt(k) + CELL[name].offset) >>> 2;
  const callerOf = (k: number): number => (cellAt(k) + CELL.caller.offset) >>> 3;
  const field = (k: number, name: keyof typeof CELL): number => Atomics.load(i32, inCell(k, name));
  const set = (k: number, name: keyof typeof CELL, value: number): void =>
    void Atomics.store(i32, inCell(k, name), value);
  const ticketOf = (state: number): number => state >>> abi.TICKET_SHIFT;
  const stateOf = (ticket: number, phase: number): number => (ticket << abi.TICKET_SHIFT) | phase | 0;
  const negative = (epoch: number, ticket: number): bigint => -((BigInt(epoch >>> 0) << 28n) + BigInt(ticket));

  /** Rings a thread, after having stored what it is to see. */
  function ring(slot: number): void {
    const bell = ground.bellAt(slot) >>> 2;
    if (Atomics.load(i32, bell) === 1 && Atomics.compareExchange(i32, bell, 1, 0) === 1) Atomics.notify(i32, bell);
  }

  /** From one phase to another under the ticket that the state has. */
  function move(k: number, from: number, to: number): boolean {
    const ticket = ticketOf(from);
    return Atomics.compareExchange(i32, inCell(k, 'state'), from, stateOf(ticket, to)) === from;
  }

  function freed(): void {
    if (get('waiters') !== 1) return;
    Atomics.store(i32, word('waiters'), 0);
    Atomics.add(i32, word('freed'), 1);
    Atomics.notify(i32, word('freed'));
  }

  function isOver(epoch: number): boolean {
    const server = Atomics.load(i64, long('server'));
    return get('epoch') !== epoch || server === 0n || ground.isDead(server);
  }

  function put(k: number, { encoding, bytes, total }: { encoding: number; bytes: Uint8Array; total?: number }): void {
    u8.set(bytes, cellAt(k) + abi.CELL_DATA_OFFSET);
    set(k, 'encoding', encoding);
    set(k, 'length', bytes.length);
    set(k, 'total', total ?? bytes.length);
  }

  /** The server's next phase of a cell that it has taken; rings the caller, or frees what was given up. */
  function leaveTaken(k: number, state: number, phase: number): boolean {
    if (!move(k, state, phase)) return false;
    const caller = Atomics.load(i64, callerOf(k));
    if (caller >= 0n) ring(field(k, 'slot'));
    else if (Atomics.compareExchange(i64, callerOf(k), caller, 0n) === caller) freed();
    return true;
  }

  const bytesOf = (k: number): Uint8Array => {
    const start = cellAt(k) + abi.CELL_DATA_OFFSET;
    return u8.slice(start, start + field(k, 'length'));
  };

  return {
    at,
    cellAt,
    field,
    get,
    ring,
    isOver,
    bytesOf,
    callerOf: (k: number): bigint => Atomics.load(i64, callerOf(k)),
    phase: (k: number): number => field(k, 'state') & PHASE_MASK,
    ticket: (k: number): number => ticketOf(field(k, 'state')),

    /** Clause 63. The epoch, undefined where another server lives. */
    open(names: readonly string[]): number | undefined {
      for (;;) {
        const epoch = get('epoch');
        const server = Atomics.load(i64, long('server'));
        const mine = server === self && epoch % 2 !== 0;
        if (server !== 0n && !mine && !ground.isDead(server)) return undefined;
        if (epoch % 2 === 0 && Atomics.compareExchange(i32, word('epoch'), epoch, epoch + 1) !== epoch) continue;
        if (Atomics.compareExchange(i64, long('server'), server, self) !== server) continue;
        break;
      }
      let opening = get('epoch');
      if (opening % 2 === 0) Atomics.store(i32, word('epoch'), ++opening);
      Atomics.store(i32, word('slot'), ground.slot);
      const text = new TextEncoder().encode(names.join('\0'));
      u8.set(text, at + abi.CHANNEL_NAMES_OFFSET);
      Atomics.store(i32, word('names_length'), text.length);
      Atomics.store(i32, word('port'), 0);
      for (let k = 0; k < get('cells'); k++) {
        const state = field(k, 'state');
        const phase = state & PHASE_MASK;
        if ((phase === abi.PHASE_REQUEST || phase === abi.PHASE_TAKEN) && move(k, state, abi.PHASE_GONE)) {
          ring(field(k, 'slot'));
        }
        const caller = Atomics.load(i64, callerOf(k));
        if (caller < 0n && Atomics.compareExchange(i64, callerOf(k), caller, 0n) === caller) freed();
      }
      Atomics.store(i32, word('epoch'), opening + 1);
      Atomics.notify(i32, word('epoch'));
      return opening + 1;
    },

    close(): void {
      const epoch = get('epoch');
      if (Atomics.compareExchange(i64, long('server'), self, 0n) !== self) return;
      for (let k = 0; k < get('cells'); k++) {
        const state = field(k, 'state');
        const phase = state & PHASE_MASK;
        const open = phase === abi.PHASE_REQUEST || phase === abi.PHASE_TAKEN || phase === abi.PHASE_WANT;
        if (open && field(k, 'epoch') === epoch && move(k, state, abi.PHASE_GONE)) ring(field(k, 'slot'));
        const caller = Atomics.load(i64, callerOf(k));
        if (caller >= 0n || -caller >> 28n !== BigInt(epoch)) continue;
        if (Atomics.compareExchange(i64, callerOf(k), caller, 0n) === caller) freed();
      }
    },

    /** Looks once at what is ready; how many answers were given. */
    serve(answer: (part: Part, k: number) => Answer): number {
      let count = 0;
      const ready = Atomics.exchange(i32, word('ready'), 0);
      for (let k = 0; k < get('cells'); k++) {
        if (((ready >>> k) & 1) === 0) continue;
        const state = field(k, 'state');
        const of = field(k, 'epoch');
        if ((state & PHASE_MASK) !== abi.PHASE_REQUEST || !move(k, state, abi.PHASE_TAKEN)) continue;
        const taken = stateOf(ticketOf(state), abi.PHASE_TAKEN);
        if (of !== get('epoch')) {
          leaveTaken(k, taken, abi.PHASE_GONE);
          continue;
        }
        const part = {
          method: field(k, 'method'),
          encoding: field(k, 'encoding'),
          bytes: bytesOf(k),
          total: field(k, 'total'),
        };
        const reply = answer(part, k);
        if (reply !== null) put(k, reply);
        if (leaveTaken(k, taken, reply === null ? abi.PHASE_WANT : abi.PHASE_REPLY)) count++;
      }
      return count;
    },
    /** Takes a request without answering it: its state then, undefined where there is none. */
    take(k: number): number | undefined {
      const state = field(k, 'state');
      if ((state & PHASE_MASK) !== abi.PHASE_REQUEST || !move(k, state, abi.PHASE_TAKEN)) return undefined;
      return stateOf(ticketOf(state), abi.PHASE_TAKEN);
    },
    put,
    leaveTaken,

    /** Clause 64: a cell for this caller, undefined where there is none now. */
    claim(): number | undefined {
      for (let k = 0; k < get('cells'); k++) {
        const state = field(k, 'state');
        const phase = state & PHASE_MASK;
        const caller = Atomics.load(i64, callerOf(k));
        const left = phase !== abi.PHASE_TAKEN;
        const gone = caller > 0n && caller !== self && ground.isDead(caller);
        const epoch = field(k, 'epoch');
        if (field(k, 'state') !== state) continue;
        let may = caller === 0n;
        if (caller < 0n) may = left || isOver(Number(-caller >> 28n));
        else if (gone) {
          may = left || isOver(epoch);
          if (phase === abi.PHASE_REQUEST) may = move(k, state, abi.PHASE_IDLE);
        }
        if (!may || Atomics.compareExchange(i64, callerOf(k), caller, self) !== caller) continue;
        set(k, 'state', stateOf((ticketOf(field(k, 'state')) + 1) % TICKETS, abi.PHASE_IDLE));
        return k;
      }
      return undefined;
    },

    /** Clause 65: passes a cell to the server of that epoch. */
    request(k: number, epoch: number, part: Part): void {
      set(k, 'epoch', epoch);
      set(k, 'method', part.method ?? 0);
      set(k, 'slot', ground.slot);
      set(k, 'port', 0);
      put(k, part);
      this.post(k);
    },
    /** The phase REQUEST, the bit, the bell. */
    post(k: number): void {
      set(k, 'state', stateOf(ticketOf(field(k, 'state')), abi.PHASE_REQUEST));
      Atomics.or(i32, word('ready'), 1 << k);
      ring(get('slot'));
    },
    /** Whether the server is through with it. */
    answered(k: number): boolean {
      const phase = field(k, 'state') & PHASE_MASK;
      return phase !== abi.PHASE_REQUEST && phase !== abi.PHASE_TAKEN;
    },
    free(k: number): void {
      Atomics.store(i64, callerOf(k), 0n);
      freed();
    },
    /** The call is not wanted any more. */
    giveUp(k: number): 'freed' | 'given up' {
      const state = field(k, 'state');
      const [ticket, phase] = [ticketOf(state), state & PHASE_MASK];
      const back = phase === abi.PHASE_REQUEST && move(k, state, abi.PHASE_IDLE);
      if (back || (phase !== abi.PHASE_REQUEST && phase !== abi.PHASE_TAKEN)) {
        this.free(k);
        return 'freed';
      }
      const mark = negative(field(k, 'epoch'), ticket);
      Atomics.store(i64, callerOf(k), mark);
      if ((field(k, 'state') & PHASE_MASK) !== abi.PHASE_TAKEN) {
        if (Atomics.compareExchange(i64, callerOf(k), mark, 0n) === mark) freed();
        return 'freed';
      }
      Atomics.or(i32, word('ready'), 1 << k);
      ring(get('slot'));
      return 'given up';
    },
  };
}
