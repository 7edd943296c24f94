// What a pool says of misuse: the address, the thread that did it as far as is known, and the remedy.

import { CoexistError, show } from '../abi/errors.js';
import type { Liveness } from '../host/host.js';

/** An item, by its address in shard 0, and a thread that had to do with it. */
export interface PoolItem {
  /** Byte offset of the item in shard 0: the pointer that `alloc()` gave. */
  readonly item: number;
  /** Identity of the thread that allocated it last. */
  readonly owner: bigint;
  /** Whether that thread lives; 'unknown' where that cannot be told. */
  readonly alive: Liveness;
}

const hex = (at: number): string => `0x${at.toString(16)}`;

export function doubleFree(name: string, item: number, freedBy: bigint): CoexistError {
  const who = freedBy === 0n ? 'it was never allocated' : `thread ${freedBy} freed it`;
  return new CoexistError('COEXIST_EINVAL', `item ${hex(item)} of pool ${show(name)} is not allocated: ${who}`, {
    found: { item, freedBy },
    expected: 'an item that alloc() gave, and that was not freed since',
    remedy: 'Free each item once. Nothing has changed.',
  });
}

export function writtenWhileFree(
  name: string,
  item: number,
  address: number,
  found: number,
  freedBy: bigint,
): CoexistError {
  return new CoexistError(
    'COEXIST_EBROKEN',
    `item ${hex(item)} of pool ${show(name)} was written at ${hex(address)} after thread ${freedBy} had freed it`,
    {
      found: { item, address, value: found, freedBy },
      expected: 'the poison that free items hold',
      remedy: 'Find who uses the item after its free. alloc() sets it aside; called again, it gives another.',
    },
  );
}

export function listCorrupt(name: string, address: number, fault: string, lastBy: bigint): CoexistError {
  return new CoexistError(
    'COEXIST_EBROKEN',
    `the free list of pool ${show(name)} at ${hex(address)} is corrupt: ${fault}`,
    {
      found: { address, fault, lastBy },
      expected: 'a list of all free items',
      remedy: 'Find who writes over the pool; repair() makes the list from the states of the items.',
    },
  );
}

export function leaked(name: string, items: readonly PoolItem[]): CoexistError {
  const first = items[0] as PoolItem;
  return new CoexistError(
    'COEXIST_EBUSY',
    `${items.length} items of pool ${show(name)} are allocated, the first ${hex(first.item)} by thread ${first.owner}`,
    {
      found: items,
      expected: 'no allocated items',
      remedy: 'Free them first, or freeDead() for those of threads that died. Nothing has changed.',
    },
  );
}

export function destroyed(name: string): CoexistError {
  return new CoexistError('COEXIST_EGONE', `pool ${show(name)} was destroyed`, {
    found: 'a destroyed pool',
    expected: 'a pool in use',
    remedy: 'Use another name: names live as long as the process.',
  });
}

export function exhausted(name: string, items: number): CoexistError {
  return new CoexistError('COEXIST_ENOSPC', `all ${items} items of pool ${show(name)} are allocated`, {
    found: items,
    expected: 'a free item',
    remedy: 'Free some, or make the pool with more items; allocated() says who holds them.',
  });
}
