// Packages that nobody here wrote, as people install them: each twice and apart, then as one by being unique, and doing its work in both cases.
//
// What a package keeps on globalThis, or recognises by something else than its classes, is one for the thread in any case:
// - @opentelemetry/api registers its providers under Symbol.for('opentelemetry.js.api.1'): what one copy registers, all of them use.
// - zod 4 keeps what config() sets on globalThis, and gives its classes a Symbol.hasInstance that looks at names: instances of one copy are
//   instances for all of them.

import { beforeAll, describe, expect, test } from 'vitest';
import type * as library from '../../src/namespace.js';
import { type ChildContext, inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

type NamespaceKind = library.NamespaceKind;

interface Batch {
  readonly url: string;
  readonly probesUrl: string;
  readonly kind: NamespaceKind;
  readonly names: readonly string[];
}

/** See test/support/real-packages.js. */
interface Probe {
  readonly specifier: string;
  readonly unique: string;
  readonly later?: true;
  make(module: unknown): unknown;
  is(module: unknown, instance: unknown): boolean;
  use(module: unknown): unknown;
  state(first: unknown, second: unknown): unknown;
}

/** Of a package in two namespaces. */
interface Pair {
  readonly kinds: readonly string[];
  readonly same: boolean;
  /** Whether an instance of each is one for the package itself, and for the other one. */
  readonly within: readonly boolean[];
  readonly across: readonly boolean[];
  /** What each made of its work. */
  readonly used: readonly unknown[];
  /** What the second has of what was set in the first. */
  readonly state: unknown;
}

interface Outcome {
  readonly apart: Pair;
  readonly one: Pair;
  readonly package: readonly (string | undefined)[];
}

type Outcomes = Readonly<Record<string, Outcome>>;

async function load({ load }: ChildContext, { url, probesUrl, kind, names }: Batch): Promise<Outcomes> {
  const { openNamespace, unique } = await load<typeof library>(url);
  const { probes } = await load<{ readonly probes: Readonly<Record<string, Probe>> }>(probesUrl);
  const ESM = ['graphql as ESM', 'zod 4', 'zod 3', 'lodash-es'];

  async function pair(name: string, [a, b]: readonly [library.Namespace, library.Namespace], isolate: boolean) {
    const probe = probes[name] as Probe;
    const handles = [await a.open(probe.specifier, { isolate }), await b.open(probe.specifier, { isolate })];
    // An import of CommonJS does not have every name.
    const modules = handles.map(({ module, kind: own }) =>
      ESM.includes(name) || (kind === 'closable' && own === 'own')
        ? module
        : (module as { readonly default: unknown }).default,
    );
    const [first, second] = modules;
    const made = modules.map((module) => probe.make(module));
    const used: unknown[] = [];
    for (const module of modules) used.push(await probe.use(module));
    return {
      package: handles.map(({ package: pkg }) => pkg),
      kinds: handles.map(({ kind }) => kind),
      same: first === second,
      within: modules.map((module, k) => probe.is(module, made[k])),
      across: modules.map((module, k) => probe.is(module, made[1 - k])),
      used,
      state: probe.state(first, second),
    };
  }

  const base = openNamespace({ id: 0 });
  const open = () => [openNamespace({ kind }), openNamespace({ kind })] as const;
  const outcomes: Record<string, Outcome> = {};
  const [apart, one] = [open(), open()];
  for (const name of names) {
    const { package: pkg, ...pairApart } = await pair(name, apart, true);
    const probe = probes[name] as Probe;
    unique(probe.unique, { policy: 'private' });
    if (probe.later) await base.open(probe.specifier);
    const { package: _, ...pairOne } = await pair(name, one, false);
    outcomes[name] = { apart: pairApart, one: pairOne, package: pkg };
  }
  return outcomes;
}

/** What each package gives in both cases, what the second copy has of what was set in the first, and the same where there is one. */
const EXPECTED: Readonly<
  Record<string, { package: string; used: unknown; state: unknown; shared: unknown; across?: true }>
> = {
  'graphql as CommonJS': {
    package: 'graphql',
    used: [42, 'Cannot query field "product" on type "Query".'],
    state: expect.stringMatching(/^Cannot use GraphQLObjectType "Query" from another module or realm/),
    shared: '"type Query {\\n  a(b: Int): Int\\n}"',
  },
  'graphql as ESM': {
    package: 'graphql',
    used: [42, 'Cannot query field "product" on type "Query".'],
    state: expect.stringMatching(/^Cannot use GraphQLObjectType "Query" from another module or realm/),
    shared: '"type Query {\\n  a(b: Int): Int\\n}"',
  },
  'zod 4': {
    package: 'zod',
    used: [{ name: 'Ada', age: 36 }, ['name', 'age']],
    state: 'ours',
    shared: 'ours',
    across: true,
  },
  'zod 3': {
    package: 'zod',
    used: [{ name: 'Ada', age: 36 }, ['name', 'age']],
    state: 'Expected string, received number',
    shared: 'ours',
  },
  'lodash-es': {
    package: 'lodash-es',
    used: [
      [{ n: 1 }, { n: 2 }, { n: 3 }],
      [4, 2],
    ],
    state: 0,
    shared: -1,
  },
  ajv: {
    package: 'ajv',
    used: [true, false, 'data/n must be integer'],
    state: [expect.stringContaining("can't resolve reference none"), false],
    shared: [expect.stringContaining("can't resolve reference none"), true],
  },
  '@opentelemetry/api': {
    package: '@opentelemetry/api',
    used: [false, true],
    state: [true, 'ours', false],
    shared: [true, 'ours', false],
  },
  '@opentelemetry/sdk-metrics': { package: '@opentelemetry/sdk-metrics', used: 6, state: false, shared: true },
  'handlebars 4': { package: 'handlebars', used: '1;2;<&lt;', state: 'Missing helper: "shout"', shared: '"A"' },
  'handlebars 3': { package: 'handlebars', used: '1;2;<&lt;', state: 'Missing helper: "shout"', shared: '"A"' },
  semver: {
    package: 'semver',
    used: [true, ['1.9.0', '1.10.0', '2.0.0'], null],
    state: expect.stringContaining('Invalid version. Must be a string. Got type "object"'),
    shared: '0',
  },
  express: { package: 'express', used: [201, { sum: 42 }], state: false, shared: true },
};

const probesUrl = new URL('../support/real-packages.js', import.meta.url).href;

/** Each in a child of its own. */
const batches = [
  { kind: 'permanent', names: ['graphql as ESM', 'zod 4', 'zod 3'] },
  { kind: 'permanent', names: ['lodash-es'] },
  {
    kind: 'permanent',
    names: ['graphql as CommonJS', 'ajv', '@opentelemetry/api', 'handlebars 4', 'handlebars 3', 'semver'],
  },
  { kind: 'permanent', names: ['@opentelemetry/sdk-metrics', 'express'] },
  { kind: 'closable', names: ['graphql as CommonJS', 'handlebars 4', 'semver', 'express'] },
] as const;

describe.each(batches)('$kind: $names', ({ kind, names }) => {
  let outcomes: Outcomes;
  beforeAll(async () => {
    const args = { url: copyUrl('a', 'namespace.js'), probesUrl, kind, names };
    const { code, result, stderr } = await inChild(load, args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    outcomes = result;
  });

  test.each(names)('%s: two that are apart', (name) => {
    const { package: pkg, used, state, across = false } = EXPECTED[name]!;
    expect(outcomes[name]).toMatchObject({
      package: [pkg, pkg],
      apart: {
        kinds: ['own', 'own'],
        same: false,
        within: [true, true],
        across: [across, across],
        used: [used, used],
        state,
      },
    });
  });

  test.each(names)('%s: one, which is unique', (name) => {
    const { used, shared } = EXPECTED[name]!;
    expect(outcomes[name]?.one).toEqual({
      kinds: ['proxy', 'proxy'],
      same: true,
      within: [true, true],
      across: [true, true],
      used: [used, used],
      state: shared,
    });
  });
});
