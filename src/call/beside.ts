// What bytes cannot carry is posted beside the cell (docs/ABI.md, clause 66), on a BroadcastChannel that is named by the receiver's
// port. A post is in the receiver's queue when it returns, so whoever finds its number in a cell finds the message, too, without
// turning its event loop.

import { BESIDE_PREFIX } from '../abi/call.js';
import { CoexistError } from '../abi/errors.js';
import { type Channel, host } from '../host/host.js';

/** Messages kept that nobody has asked for: of calls that were given up. The oldest go first. */
const KEPT_MAX = 1024;

interface Message {
  readonly number: number;
  readonly list: unknown[];
}

const hex = (number: number): string => number.toString(16).padStart(8, '0');
const random = (): number => Math.floor(Math.random() * 0xffffffff) + 1;

export class Beside {
  readonly #areaId: number;
  readonly #kept = new Map<number, unknown[]>();
  #channel: Channel | undefined;
  #port = 0;

  constructor(areaId: number) {
    this.#areaId = areaId;
  }

  /** This receiver's port, opened when first asked for. */
  get port(): number {
    if (this.#channel === undefined) {
      this.#port = random();
      // A loop that turns delivers what nobody has polled for yet.
      this.#channel = host.channel(this.#name(this.#port), (message) => this.#keep(message));
    }
    return this.#port;
  }

  /** Throws the engine's error where it cannot be cloned. Returns its number. */
  post(port: number, list: readonly unknown[]): number {
    // Opened for this post alone: an open channel receives whatever others post to that port.
    const channel = host.channel(this.#name(port));
    const number = random();
    try {
      channel.post({ number, list });
    } finally {
      channel.close();
    }
    return number;
  }

  /**
   * The list posted under this number, once.
   * @throws COEXIST_EBROKEN
   */
  take(number: number): unknown[] {
    while (!this.#kept.has(number)) {
      const found = this.#channel?.poll();
      if (found === undefined) throw missing(number);
      this.#keep(found.message);
    }
    const list = this.#kept.get(number) as unknown[];
    this.#kept.delete(number);
    return list;
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.#kept.clear();
  }

  #name(port: number): string {
    return `${BESIDE_PREFIX}${hex(this.#areaId)}.${hex(port)}`;
  }

  // Anyone may post to a name.
  #keep(message: unknown): void {
    const { number, list } = (message ?? {}) as Partial<Message>;
    if (typeof number !== 'number' || !Array.isArray(list)) return;
    this.#kept.set(number, list);
    if (this.#kept.size <= KEPT_MAX) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      break;
    }
  }
}

function missing(number: number): CoexistError {
  return new CoexistError('COEXIST_EBROKEN', `nothing was posted under the number ${number} of a cell`, {
    found: 'no message',
    expected: 'the list, posted before the cell was passed on',
    remedy: 'Look for an error of the receiving thread: what was posted could not be read there.',
  });
}
