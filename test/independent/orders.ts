// Three parties in one thread, two copies of the library and the independent implementation, register and unregister in every
// order. After each step all three must see the same slot, with the count that a model says.

import type * as core from '../../src/core.js';
import type * as independent from './implementation.js';

export type Party = 'a' | 'b' | 'independent';

/** All orders in which each of the parties registers, and later unregisters, `times` times. */
export function orders(parties: readonly Party[], times: number): Party[][] {
  const found: Party[][] = [];
  const extend = (order: Party[]): void => {
    if (order.length === parties.length * times * 2) {
      found.push(order);
      return;
    }
    for (const party of parties) {
      if (order.filter((p) => p === party).length < times * 2) extend([...order, party]);
    }
  };
  extend([]);
  return found;
}

/**
 * Walks one order: a party's first `times` turns register, its later ones unregister its oldest handle. Returns what was
 * wrong, and how many steps were compared.
 */
export function walk(
  order: readonly Party[],
  times: number,
  memory: core.AreaValue,
  parties: { a: typeof core; b: typeof core; independent: typeof independent },
): { wrong: string[]; steps: number } {
  const { a, b, independent } = parties;
  const areas = { a: a.openArea(memory), b: b.openArea(memory), independent: independent.open(memory) };
  const register = {
    a: () => a.register({ area: areas.a }),
    b: () => b.register({ area: areas.b }),
    independent: () => independent.register({ area: areas.independent }),
  };
  const handles: Record<Party, { slot: number; generation: number; unregister(): void }[]> = {
    a: [],
    b: [],
    independent: [],
  };
  const turns: Record<Party, number> = { a: 0, b: 0, independent: 0 };
  const wrong: string[] = [];
  let live = 0;
  order.forEach((party, step) => {
    if (turns[party]++ < times) {
      handles[party].push(register[party]());
      live++;
    } else {
      handles[party].shift()?.unregister();
      live--;
    }
    const seen = [areas.a.inspect().slots, areas.b.inspect().slots, areas.independent.inspect()].map((rows) =>
      rows.map(({ slot, generation, refcount }) => ({ slot, generation, refcount })),
    );
    const held = Object.values(handles).flat()[0];
    const expected = held === undefined ? [] : [{ slot: held.slot, generation: held.generation, refcount: live }];
    for (const rows of seen) {
      if (JSON.stringify(rows) !== JSON.stringify(expected)) {
        wrong.push(`${order.join(' ')}, step ${step}: ${JSON.stringify(rows)}, expected ${JSON.stringify(expected)}`);
      }
    }
  });
  return { wrong, steps: order.length };
}
