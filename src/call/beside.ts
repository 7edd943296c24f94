// What bytes cannot carry is posted beside the cell (docs/ABI.md, clause 66), on a BroadcastChannel that is named by the receiver's
// port. A post is in the receiver's queue when it returns, so whoever finds its number in a cell finds the message, too, without
// turning its event loop.

import { BESIDE_PREFIX } from '../abi/call.js';
import { CoexistError } from '../abi/errors.js';
import { type Channel, host } from '../host/host.js';

/** Messages kept that nobody has asked for: of calls that were given up. The oldest go first. */
const KEPT_MAX = 1024;
const TRIES = 10;
const PAUSE_MS = 2;
const SLEEPER = new Int32Array(new SharedArrayBuffer(4));

interface Message {
  readonly number: number;
  readonly list: unknown[];
}

const hex = (number: number): string => number.toString(16).padStart(8, '0');
const random = (): number => Math.floor(Math.random() * 0xffffffff) + 1;

export class Beside {
  readonly #areaId: number;
  readonly #kept = new Map<number, unknown[]>();
  readonly #senders = new Map<number, Channel>();
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

  /**
   * Posts a list that message passing has cloned once. Returns the number of the message.
   * @throws COEXIST_EBUSY
   */
  post(port: number, list: readonly unknown[]): number {
    const channel = this.#sender(port);
    const number = random();
    for (let tries = 1; ; tries++) {
      try {
        channel.post({ number, list });
        return number;
      } catch (cause) {
        // What the runtime clones by its own means (a Blob) it posts only where there is one other member of the channel.
        if (tries === TRIES) throw busy(cause);
        Atomics.wait(SLEEPER, 0, 0, PAUSE_MS);
      }
    }
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

  // Kept until the event loop turns, since a channel that is closed is a member until then. Not longer: a member gets whatever others post.
  #sender(port: number): Channel {
    const kept = this.#senders.get(port);
    if (kept !== undefined) {
      // Else it keeps all that others post as long as this thread blocks.
      while (kept.poll() !== undefined);
      return kept;
    }
    const channel = host.channel(this.#name(port));
    this.#senders.set(port, channel);
    host.soon(() => {
      this.#senders.delete(port);
      channel.close();
    });
    return channel;
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

function busy(cause: unknown): CoexistError {
  return new CoexistError('COEXIST_EBUSY', 'another thread is posting to the same receiver', {
    found: String(cause),
    expected: 'one thread at a time, where objects of the runtime (a Blob, a KeyObject) are passed',
    remedy: 'Try again when the event loop has turned; nothing was sent.',
    cause,
  });
}

function missing(number: number): CoexistError {
  return new CoexistError('COEXIST_EBROKEN', `nothing was posted under the number ${number} of a cell`, {
    found: 'no message',
    expected: 'the list, posted before the cell was passed on',
    remedy: 'Look for an error of the receiving thread: what was posted could not be read there.',
  });
}
