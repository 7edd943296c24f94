// A call through the slot of an interface that is implemented, against a call of the implementation itself, and against other ways to
// have something between the two. Callers know the tables by constants, as those that import them do. All variants of a group call as
// many functions, each from a place of its own; what a table answers without an implementation was called before, as in a program.

import { defineInterface, stub } from 'coexist/module';
import { interleave, type Options, row, type Topic, type Variant, variable } from './kit.js';

const TURNS = 2_000_000;
const ROUNDS: Options = { rounds: 15 };
const STUB_CALLS = 1000;

type None = () => number;
type Two = (a: number, b: number) => number;

/**
 * Calls of one function without arguments, which reads a field. It must not count in one: some processors see through a store that is
 * loaded again in the next turn, and some of the time only.
 */
function ofNone(): Record<'direct' | 'patched' | 'stub' | 'proxy' | 'getter' | 'map', Variant> {
  const place = variable(3);
  const functions = { next: () => place.at };
  const table = defineInterface<{ next: None }>('bench/none', { version: 1, functions: { next: stub.value(1) } });
  for (let k = 0; k < STUB_CALLS; k++) table.next();
  table.implement(functions);
  const stubs = defineInterface<{ next: None }>('bench/stub', { version: 1, functions: { next: stub.value(1) } });
  const { proxy, getters, map } = peers(functions, { next: () => 1 });
  return {
    direct: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = (sum + functions.next()) | 0;
      return sum;
    }),
    patched: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = (sum + table.next()) | 0;
      return sum;
    }),
    stub: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = (sum + stubs.next() + k) | 0;
      return sum;
    }),
    proxy: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = (sum + proxy.next()) | 0;
      return sum;
    }),
    getter: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = (sum + getters.next()) | 0;
      return sum;
    }),
    map: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = (sum + map.get('next')!()) | 0;
      return sum;
    }),
  };
}

/** The same with two arguments. */
function ofTwo(): Record<'direct' | 'patched' | 'proxy' | 'getter' | 'map', Variant> {
  const functions = { mix: (a: number, b: number) => (a + b) ^ 7 };
  const table = defineInterface<{ mix: Two }>('bench/two', { version: 1, functions: { mix: stub.value(-1) } });
  for (let k = 0; k < STUB_CALLS; k++) table.mix(k, k);
  table.implement(functions);
  const { proxy, getters, map } = peers(functions, { mix: () => -1 });
  return {
    direct: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = functions.mix(sum, k) | 0;
      return sum;
    }),
    patched: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = table.mix(sum, k) | 0;
      return sum;
    }),
    proxy: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = proxy.mix(sum, k) | 0;
      return sum;
    }),
    getter: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = getters.mix(sum, k) | 0;
      return sum;
    }),
    map: turns((times, sum = 0) => {
      for (let k = 0; k < times; k++) sum = map.get('mix')!(sum, k) | 0;
      return sum;
    }),
  };
}

const turns = (loop: (times: number) => unknown): Variant => ({ ops: TURNS, loop });

/** Other ways to have a function replaced under its callers. */
function peers<F extends Readonly<Record<string, (...args: never[]) => unknown>>>(functions: F, stubs: object) {
  const state = { functions: stubs as F };
  const proxy = new Proxy({} as F, { get: (_, name) => state.functions[name as string] });
  const getters = {} as F;
  for (const name of Object.keys(functions)) {
    Object.defineProperty(getters, name, { get: () => state.functions[name], enumerable: true });
  }
  const map = new Map(Object.entries(stubs)) as Map<string, F[keyof F]>;
  for (const [name, fn] of Object.entries(functions)) map.set(name, fn as F[keyof F]);
  state.functions = functions;
  return { proxy, getters, map };
}

async function none() {
  const times = await interleave(ofNone(), ROUNDS);
  return [
    row('call of no argument through a patched interface against a direct one', times.patched, times.direct, {
      atMost: 1.1,
    }),
    row('call of no argument through a Proxy against a patched interface', times.proxy, times.patched, { atLeast: 10 }),
    row('call of no argument through a getter against a direct one', times.getter, times.direct),
    row('call of no argument through Map.get against a direct one', times.map, times.direct),
    row('call of a stub that answers with a value against a direct call', times.stub, times.direct),
  ];
}

async function two() {
  const times = await interleave(ofTwo(), ROUNDS);
  return [
    row('call of two arguments through a patched interface against a direct one', times.patched, times.direct, {
      atMost: 1.1,
    }),
    row('call of two arguments through a Proxy against a patched interface', times.proxy, times.patched, {
      atLeast: 10,
    }),
    row('call of two arguments through a getter against a direct one', times.getter, times.direct),
    row('call of two arguments through Map.get against a direct one', times.map, times.direct),
  ];
}

const five = () => ({
  a: (a: number, b: number) => (a + b) ^ 1,
  b: (a: number, b: number) => (a - b) ^ 2,
  c: (a: number, b: number) => (a ^ b) + 3,
  d: (a: number, b: number) => (a | b) + 4,
  e: (a: number, b: number) => (a & b) - 5,
});
type Five = ReturnType<typeof five>;

function table(name: string, functions: Five) {
  const stubs = { a: stub.value(0), b: stub.value(1), c: stub.value(2), d: stub.value(3), e: stub.value(4) };
  const made = defineInterface<Five>(name, { version: 1, functions: stubs });
  for (let k = 0; k < STUB_CALLS; k++) made.a(k, made.b(k, made.c(k, made.d(k, made.e(k, k)))));
  made.implement(functions);
  return made;
}

/** Five slots in turn, of an interface that is one of twenty; and once more, of one whose implementation was replaced. */
async function several() {
  const functions = five();
  const direct = five();
  const patched = table('bench/five', functions);
  for (let k = 0; k < 19; k++) table(`bench/other-${k}`, five());
  const replaced = table('bench/replaced', five());
  replaced.withdraw();
  for (let k = 0; k < STUB_CALLS; k++) replaced.a(k, replaced.b(k, k));
  replaced.implement(five());
  const { proxy } = peers(functions, { a: () => 0, b: () => 1, c: () => 2, d: () => 3, e: () => 4 });
  const times = await interleave(
    {
      direct: turns((times, sum = 0) => {
        for (let k = 0; k < times; k += 5) {
          sum = direct.e(direct.d(direct.c(direct.b(direct.a(sum, k), k), k), k), k) | 0;
        }
        return sum;
      }),
      patched: turns((times, sum = 0) => {
        for (let k = 0; k < times; k += 5) {
          sum = patched.e(patched.d(patched.c(patched.b(patched.a(sum, k), k), k), k), k) | 0;
        }
        return sum;
      }),
      replaced: turns((times, sum = 0) => {
        for (let k = 0; k < times; k += 5) {
          sum = replaced.e(replaced.d(replaced.c(replaced.b(replaced.a(sum, k), k), k), k), k) | 0;
        }
        return sum;
      }),
      proxy: turns((times, sum = 0) => {
        for (let k = 0; k < times; k += 5) {
          sum = proxy.e(proxy.d(proxy.c(proxy.b(proxy.a(sum, k), k), k), k), k) | 0;
        }
        return sum;
      }),
    },
    ROUNDS,
  );
  return [
    row('calls of five slots in turn, of one interface of 21, against direct ones', times.patched, times.direct, {
      atMost: 1.1,
    }),
    row('the same where the implementation was withdrawn and replaced', times.replaced, times.direct, { atMost: 1.1 }),
    row('calls of five functions in turn through a Proxy against patched slots', times.proxy, times.patched, {
      atLeast: 10,
    }),
  ];
}

/** From one place in the code, which knows none of the functions that it calls. */
async function unknown() {
  const functions = five();
  const patched = table('bench/unknown', functions);
  const calls = Object.values(functions);
  const slots = Object.values(patched).slice(0, calls.length) as Two[];
  const loopOf =
    (all: readonly Two[]) =>
    (times: number, sum = 0) => {
      for (let k = 0; k < times; k += all.length) for (const each of all) sum = each(sum, k) | 0;
      return sum;
    };
  const times = await interleave({ direct: turns(loopOf(calls)), patched: turns(loopOf(slots)) }, ROUNDS);
  return [row('slots called from a place that does not know which against the functions', times.patched, times.direct)];
}

export const interfaces: Topic = { none, two, several, unknown };
