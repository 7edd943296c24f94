// Bugs planted in the built library are found, each by the protocol it concerns. That the unchanged library passes:
// protocols.test.ts, and npm run explore.

import { explore } from 'coexist/explore';
import { describe, expect, test } from 'vitest';
import { type Mutation, mutate, plant } from '../../workers/explore-mutant.js';
import { mutations } from '../../workers/explore-mutations.js';
import { optionsOf, type Protocol, protocols } from '../../workers/explore-protocols.js';

const ROOT = new URL('../../', import.meta.url);
const BUILD = new URL('build/workers/', ROOT);

function search(mutation: Mutation, core: string) {
  const protocol = protocols.find(({ name }) => name === mutation.protocol) as Protocol;
  return explore(optionsOf(protocol, 'twin', mutation, BUILD, core));
}

test('there are at least twelve', () => {
  expect(mutations.length).toBeGreaterThanOrEqual(12);
  expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length);
});

describe.each(mutations)('$name', (mutation) => {
  test('is found, and its schedule runs again for the trace', async () => {
    const mutant = plant(mutation, ROOT);
    const { failure, trace } = await search(mutation, mutant);
    expect(`${failure?.kind}: ${failure?.error.message}`).toContain(mutation.finds);
    expect(trace.length).toBeGreaterThan(0);
    // Where the second run ended otherwise, the last line says so.
    expect(trace.at(-1)).not.toContain('when run again');
  });
});

test('a mutation is planted in one place or not at all', () => {
  const mutation = { ...(mutations[0] as Mutation), find: 'a(b, c);', replace: 'a(c, b); d(b);' };
  expect(mutate('x; a12( b3,\n  c ); y;', mutation)).toBe('x; a12(c, b3); d(b3);\ny;');
  expect(() => mutate('a(b, c); a(b, c);', mutation)).toThrow('found 2 times');
  expect(() => mutate('a(b, b);', mutation)).toThrow('found 0 times');
});
