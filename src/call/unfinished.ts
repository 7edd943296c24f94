// What a server keeps between two parts of a call (docs/ABI.md, clause 66), by number of the cell. What it keeps belongs to a ticket: where
// the cell carries another call since, it is dropped.

import { addPart, allThere, type Parts } from './parts.js';
import type { CellView, Rest } from './payload.js';

/** A reply of which parts are left. */
export interface Reply {
  readonly ticket: number;
  readonly encoding: number;
  readonly rest: Rest;
  /** Bytes that are written. */
  done: number;
}

export class Unfinished {
  readonly #requests = new Map<number, { readonly ticket: number; readonly parts: Parts }>();
  readonly #replies = new Map<number, Reply>();

  /** Whether there is nothing of any cell. */
  get none(): boolean {
    return this.#requests.size === 0 && this.#replies.size === 0;
  }

  drop(k: number): void {
    this.#requests.delete(k);
    this.#replies.delete(k);
  }

  keep(k: number, reply: Reply): void {
    this.#replies.set(k, reply);
  }

  /** The reply of this call, taken out. */
  takeReply(k: number, ticket: number): Reply | undefined {
    const reply = this.#replies.get(k);
    this.#replies.delete(k);
    return reply?.ticket === ticket ? reply : undefined;
  }

  hasRequest(k: number, ticket: number): boolean {
    return this.#requests.get(k)?.ticket === ticket;
  }

  /** The request of this call with the part in its cell; kept until all of it is there. */
  addToRequest(k: number, cell: CellView, ticket: number): Parts {
    const parts = addPart(this.hasRequest(k, ticket) ? this.#requests.get(k)?.parts : undefined, cell);
    if (allThere(parts)) this.#requests.delete(k);
    else this.#requests.set(k, { ticket, parts });
    return parts;
  }
}
