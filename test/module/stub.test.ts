// What slots answer while nobody implements them: values that no two callers share, nothing, errors that name what is missing, and
// the implementation itself, once one of the thread's loaders has loaded it. The loaders here are stand-ins that tell what they did.

import { defineInterface, stub } from 'coexist/module';
import { expect, test, vi } from 'vitest';
import type * as core from '../../src/core.js';
import { failure, rejection } from '../support/failures.js';

const { CoexistError, onLoadStub, patch, implementationOf, unpatch }: typeof core = await import(
  new URL('../../dist/core.js', import.meta.url).href
);

let count = 0;
const fresh = () => `test/stubs-${++count}`;
const answerOf = (value: unknown) => {
  const table = defineInterface(fresh(), { version: 1, functions: { query: stub.value(value) } });
  return [table.query(1, 2), table.query()] as const;
};

/** A loader that knows one module for one interface. */
function source(interfaceName: string, module: string, outcome: () => Promise<unknown>) {
  const load = vi.fn(outcome);
  const forget = onLoadStub({
    moduleOf: (name) => (name === interfaceName ? module : undefined),
    load: load as never,
  });
  return { load, [Symbol.dispose]: forget };
}

/** A load that puts an implementation in force, as loaders do. */
const loads = (name: string, module: string, functions: object) => async () => {
  const { version, functions: taken } = implementationOf(name, { version: 1, functions });
  patch(name, version, taken, module);
  return { outcome: 'loaded', name: module, message: `${module} is loaded` };
};

const refusal = (module: string) => ({
  outcome: 'refused',
  name: module,
  message: `${module} is of another build.`,
  error: new CoexistError('COEXIST_EREFUSED', 'another build', {
    found: 'a',
    expected: 'b',
    remedy: 'Build it again.',
  }),
});

test.each([-1, 0, -0, Number.NaN, '', 'text', true, 7n, null, undefined, Symbol('s')])('a value: %o', (value) => {
  const [first, second] = answerOf(value);
  expect(first).toBe(value);
  expect(second).toBe(value);
});

test('objects are shared neither between calls nor with who gave them', () => {
  const given = { enabled: false, list: [1, new Map([['a', new Date(0)]])], bytes: new Uint8Array([1, 2]) };
  const as = structuredClone(given);
  const table = defineInterface(fresh(), { version: 1, functions: { query: stub.value(given) } });
  given.list.push(2);
  const [first, second] = [table.query(), table.query()];
  expect(first).toEqual(as);
  first.enabled = true;
  first.bytes[0] = 9;
  expect(second).toEqual(as);
  expect(table.query()).toEqual(as);
});

test('shared memory stays shared', () => {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const [first, second] = answerOf(shared) as readonly Int32Array[];
  first![1] = 5;
  expect([second![1], shared[1], first === second]).toEqual([5, 5, false]);
});

test.each([() => 1, class {}, { nested: { fn() {} } }, Promise.resolve(), new WeakMap(), [Symbol('s')]])(
  'what cannot be cloned is no value: %o',
  (value) => {
    expect(failure('COEXIST_EINVAL', () => stub.value(value)).found).toBe(value);
  },
);

test('nothing', () => {
  const table = defineInterface(fresh(), { version: 1, functions: { init: stub.noop() } });
  expect(table.init(1)).toBeUndefined();
});

test('an error that names interface, function, and the module that would help', () => {
  const functions = { display: stub.throws(), show: stub.throws('no display here') };
  const table = defineInterface('test/throws', { version: 1, functions });
  const plain = failure('COEXIST_EUNSUPPORTED', () => table.display());
  expect(plain.message).toContain('nothing implements display() of the interface "test/throws"');
  expect(plain.remedy).toContain('no loader of this thread knows one');
  const spoken = failure('COEXIST_EUNSUPPORTED', () => table.show());
  expect(spoken.message).toContain('no display here: nothing implements show()');
  {
    using known = source('test/throws', 'ui-spice', loads('test/throws', 'ui-spice', { display() {}, show() {} }));
    const error = failure('COEXIST_EUNSUPPORTED', () => table.display());
    expect(error).toMatchObject({
      expected: 'the module ui-spice, loaded',
      remedy: expect.stringContaining('"ui-spice"'),
    });
    expect(known.load).not.toHaveBeenCalled();
  }
  expect(failure('COEXIST_EUNSUPPORTED', () => table.display()).expected).toBe('a module that implements it');
  failure('COEXIST_EINVAL', () => stub.throws(5 as never));
});

test('loads the implementation for a call, and calls it with what it was given', async () => {
  const name = fresh();
  const table = defineInterface(name, { version: 1, functions: { open: stub.load<string>(), size: stub.value(-1) } });
  const { open } = table;
  const functions = {
    open(path: string) {
      expect(this).toBe(functions);
      return `real ${path}`;
    },
    size: () => 7,
  };
  using loader = source(name, 'disk', loads(name, 'disk', functions));
  using later = source(name, 'other', async () => expect.fail('asked, though the first loader has loaded it'));
  expect(await open('a')).toBe('real a');
  expect(table.status()).toMatchObject({ provider: 'disk', generation: 1 });
  expect([table.size(), open('b')]).toEqual([7, 'real b']);
  expect(loader.load.mock.calls).toEqual([['disk']]);
  expect(later.load).not.toHaveBeenCalled();
  const taken = (self: object) => ({ self, all: new Map() });
  unpatch(name, 'another', taken(functions));
  unpatch(name, 'disk', taken({}));
  expect(table.status().provider).toBe('disk');
  unpatch(name, 'disk', taken(functions));
  expect(table.status()).toMatchObject({ provider: undefined, generation: 2 });
});

test('passes on what the implementation throws', async () => {
  const name = fresh();
  const table = defineInterface(name, { version: 1, functions: { open: stub.load() } });
  const thrown = new Error('no such disk');
  const open = () => {
    throw thrown;
  };
  using _ = source(name, 'disk', loads(name, 'disk', { open }));
  await expect(table.open()).rejects.toBe(thrown);
});

test('is refused where no loader knows a module, or none loads: why, and what to do', async () => {
  const name = 'test/refused';
  const table = defineInterface(name, { version: 1, functions: { open: stub.load() } });
  const unknown = await rejection('COEXIST_EREFUSED', table.open());
  expect(unknown.message).toContain('open() of the interface "test/refused" cannot be called: no loader');
  using first = source(name, 'disk', async () => refusal('disk'));
  using second = source(name, 'tape', async () => ({ outcome: 'absent', name: 'tape', message: 'no tape' }));
  const error = await rejection('COEXIST_EREFUSED', table.open());
  expect(error).toMatchObject({ found: '"disk": refused', remedy: 'Build it again.' });
  expect(error.message).toContain('cannot be called: disk is of another build. Build it again.');
  await expect(table.open()).rejects.toMatchObject({ cause: { code: 'COEXIST_EREFUSED', found: 'a', expected: 'b' } });
  expect([first.load.mock.calls.length, second.load.mock.calls.length]).toEqual([2, 2]);
  using _ = source(name, 'real', loads(name, 'real', { open: () => 'real' }));
  expect(await table.open()).toBe('real');
});

test('is refused where the module is loaded and has withdrawn', async () => {
  const name = fresh();
  const table = defineInterface(name, { version: 1, functions: { open: stub.load() } });
  using _ = source(name, 'disk', async () => ({ outcome: 'already', name: 'disk', message: 'disk is loaded' }));
  const error = await rejection('COEXIST_EREFUSED', table.open());
  expect(error.message).toContain('the module "disk" is loaded, and implements it no more');
});

test('waits as long as its loader does, and then calls whatever implements it', async () => {
  const name = fresh();
  const table = defineInterface(name, { version: 1, functions: { open: stub.load<string>() } });
  const answers: ((outcome: object) => void)[] = [];
  using _ = source(name, 'disk', () => new Promise((resolve) => answers.push(resolve)));
  const calls = [table.open(), table.open()];
  table.implement({ open: async () => 'of the program' });
  const first = await Promise.race([...calls, new Promise((resolve) => setImmediate(resolve, 'still waiting'))]);
  expect([first, answers.length]).toEqual(['still waiting', 2]);
  for (const answer of answers) answer(refusal('disk'));
  expect(await Promise.all(calls)).toEqual(['of the program', 'of the program']);
});
