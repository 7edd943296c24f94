// What a module does to break the loader: outcomes stay values, a load stays whole or nothing, and the thread's state is
// as it was.

import { createLoader, defineInterface, stub } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, told } from '../support/loaders.js';
import { everything } from '../support/module-state.js';
import { aBuild, writeBuild } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

const revoked = '(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()';
const imports = "import { defineInterface, implement, moduleInit, stub } from 'coexist/module';";

test.each([
  ['nothing', 'throw undefined;'],
  ['null', 'throw null;'],
  ['a symbol', "throw Symbol('x');"],
  ['a proxy that is revoked', `throw ${revoked};`],
  ['an object whose code is a getter that throws such a proxy', `throw { get code() { throw ${revoked}; } };`],
  ['an error without a message', 'throw Object.assign(new Error(), { message: undefined });'],
  [
    'an error whose message is a getter that throws',
    "throw Object.defineProperty(new Error(), 'message', { get() { throw 1; } });",
  ],
  ['an error whose name is a symbol', "throw Object.assign(new Error('x'), { name: Symbol('x') });"],
  ['an error that is frozen', "throw Object.freeze(new Error('x'));"],
])('what is thrown may be %s, in a text and in an initialiser', async (_, text) => {
  const host = aHost([
    [{ name: 'esm' }, `${imports}\n${text}`],
    [{ name: 'cjs', type: 'commonjs' }, `require('coexist/module'); ${text}`, 'cjs.cjs'],
    [{ name: 'init' }, `${imports}\nmoduleInit('t', () => { ${text} });`],
    [{ name: 'async' }, `${imports}\nmoduleInit('t', async () => { await null; ${text} }, { scope: 'process' });`],
  ]);
  await host.loader.callInit('t');
  const before = everything(host);
  for (const name of ['esm', 'cjs', 'init', 'async']) {
    const outcome = await host.loader.load(name);
    expect(told(outcome)).toBe(`failed COEXIST_EFAILED ${name}`);
    expect(outcome.message).toContain(`"${name}"`);
    expect(everything(host)).toEqual(before);
  }
});

test.each([
  ['a getter that throws', "{ get f() { throw new Error('getter'); }, g() {} }", 'failed COEXIST_EFAILED m'],
  ['no functions', '{ f: 1, g: null }', 'refused interface m'],
  ['a class', '{ f: class {}, g() {} }', 'loaded'],
  [
    'functions with a name that throws',
    "{ f: Object.defineProperty(() => 'f', 'name', { get() { throw 1; } }), g() {} }",
    'loaded',
  ],
  [
    'functions that are proxies which show nothing',
    "{ f: new Proxy(() => 'f', { get() { throw 1; }, getOwnPropertyDescriptor() { throw 1; } }), g() {} }",
    'loaded',
  ],
  ['functions with a bind of their own', "{ f: Object.assign(() => 'f', { bind: () => 1 }), g() {} }", 'loaded'],
])('functions of an interface may be %s', async (_, functions, expected) => {
  const host = aHost([
    [
      { name: 'm', interfaces: { 'hostile/f': 1, 'hostile/z': 1 } },
      `${imports}\nimplement('hostile/f', { version: 1, functions: ${functions} });\nimplement('hostile/z', { version: 1, functions: { z: () => 'z' } });`,
    ],
  ]);
  const table = defineInterface('hostile/f', { version: 1, functions: { f: stub.value('stub'), g: stub.noop() } });
  const last = defineInterface('hostile/z', { version: 1, functions: { z: stub.value('stub') } });
  const before = everything(host);
  expect(told(await host.loader.load('m'))).toBe(expected);
  if (expected === 'loaded') {
    expect([table.status().provider, last.status().provider, last.z()]).toEqual(['m', 'm', 'z']);
    if (!functions.includes('class')) expect(table.f()).toBe('f');
  } else {
    expect(everything(host)).toEqual(before);
    expect([table.f(), last.z()]).toEqual(['stub', 'stub']);
  }
  table.withdraw();
  last.withdraw();
});

test('what a module exports may be called then', async () => {
  const then = "globalThis.journal.push('called');";
  const { loader } = aHost(
    [
      [{ name: 'a' }, `export function then() { ${then} } export const value = 1;`],
      [{ name: 'b' }, `const then = () => { ${then} }; export { then, then as 'a b' };`],
      [{ name: 'c' }, `const x = () => { ${then} }; export { x as then };`],
      [{ name: 'd' }, `export const { then } = { then() { ${then} } };`],
      [{ name: 'e', depends: ['a'] }, "export * from 'a';"],
      [{ name: 'f', type: 'commonjs' }, `exports.then = () => { ${then} };`, 'f.cjs'],
      [
        { name: 'g', depends: ['a', 'f'] },
        "import { then } from 'a'; import { then as other } from 'f'; export const types = [typeof then, typeof other];",
      ],
      [{ name: 'h' }, 'export default async function* then() {}'],
      [{ name: 'i' }, `export const value = 1, then = () => { ${then} };`],
      [{ name: 'j' }, `export /* a */ function then() { ${then} }`],
      [{ name: 'k' }, `const x = () => { ${then} }; export { x as 'then' };`],
      [{ name: 'l' }, `export let then\nthen = () => { ${then} }`],
      [{ name: 'm' }, `export const [then /* b */] = [() => { ${then} }];`],
    ],
    { timeout: 2000 },
  );
  for (const name of 'abcdefgijklm') {
    const outcome = await loader.load(name);
    expect([name, told(outcome)]).toEqual([name, 'loaded']);
    const { exports } = outcome as { exports: Record<string, unknown> };
    if (name !== 'g') expect(typeof exports['then']).toBe('function');
    else expect(exports['types']).toEqual(['function', 'function']);
  }
  expect(await loader.load('h')).toMatchObject({ outcome: 'loaded', exports: { default: expect.any(Function) } });
  expect(journal()).toEqual([]);
});

test.each([
  ['a function', 'module.exports = () => 5;', "import m from 'm'; export const found = m();"],
  ['null', 'module.exports = null;', "import m from 'm'; export const found = m === null ? 5 : 0;"],
  ['a number', 'module.exports = 5;', "import m from 'm'; export const found = m;"],
  [
    'a default beside others',
    "Object.assign(exports, { __esModule: true, default: 1, 'a b': 5, __proto__: 7 });",
    "import { 'a b' as found } from 'm'; export { found };",
  ],
  [
    'a getter that throws',
    "Object.defineProperty(exports, 'x', { enumerable: true, get() { throw 1; } }); exports.found = 5;",
    "import { found } from 'm'; export { found };",
  ],
])('a CommonJS module may export %s', async (_, text, user) => {
  const { loader } = aHost([
    [{ name: 'm', type: 'commonjs' }, text, 'm.cjs'],
    [{ name: 'user', depends: ['m'] }, user],
  ]);
  expect(await loader.load('user')).toMatchObject({ outcome: 'loaded', exports: { found: 5 } });
});

test('what a module that comes to nothing has defined may be defined otherwise behind it', async () => {
  const define = (version: number, rest: string): string =>
    `${imports}\nexport const table = defineInterface('hostile/own', { version: ${version}, functions: { f${version}: stub.value(${version}) } });\n${rest}`;
  const host = aHost([
    [{ name: 'bad' }, define(1, "throw new Error('no');")],
    [{ name: 'good' }, define(2, '')],
  ]);
  const before = everything(host);
  expect(told(await host.loader.load('bad'))).toBe('failed COEXIST_EFAILED bad');
  expect(everything(host)).toEqual(before);
  expect(told(await host.loader.load('good'))).toBe('loaded');
  expect(defineInterface('hostile/own', { version: 2, functions: { f2: stub.value(0) } }).f2()).toBe(2);
});

test('what several of them have defined goes with the last of them', async () => {
  const define = "defineInterface('hostile/several', { version: 1, functions: { f: stub.value(1) } });";
  const host = aHost([
    [{ name: 'bad', depends: ['base'] }, `${imports}\n${define}\nif (globalThis.journal.length === 0) throw 1;`],
    [{ name: 'base' }, `${imports}\n${define}`],
  ]);
  const before = everything(host);
  expect(told(await host.loader.load('bad'))).toBe('failed COEXIST_EFAILED bad');
  expect(everything(host)).toEqual(before);
  // One that is loaded keeps it.
  expect(told(await host.loader.load('base'))).toBe('loaded');
  const loaded = everything(host);
  expect(told(await host.loader.load('bad'))).toBe('failed COEXIST_EFAILED bad');
  expect(everything(host)).toEqual(loaded);
  journal().push('now it does not throw');
  expect(told(await host.loader.load('bad'))).toBe('loaded');
});

test('a module that was given up defines nothing any more', async () => {
  const define = "defineInterface('hostile/late', { version: 1, functions: { f: stub.value(1) } });";
  const host = aHost([
    [
      { name: 'm' },
      `${imports}\nawait globalThis.gate;\ntry { ${define} } catch (error) { globalThis.journal.push(error.message); }`,
    ],
  ]);
  let open = (): void => undefined;
  Object.assign(globalThis, {
    gate: new Promise<void>((resolve) => {
      open = resolve;
    }),
  });
  const before = everything(host);
  expect(told(await host.loader.load('m', { timeout: 100 }))).toBe('failed COEXIST_ETIMEDOUT m');
  open();
  while (journal().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(journal()).toEqual([
    expect.stringMatching(/^COEXIST_EREFUSED: defineInterface\(\) of module "m", which is given up already/),
  ]);
  expect(everything(host)).toEqual(before);
});

test('what others have defined, too, stays', async () => {
  const shared = "defineInterface('hostile/shared', { version: 1, functions: { f: stub.value(1) } });";
  const host = aHost([
    [{ name: 'bad' }, `${imports}\n${shared}\nglobalThis.journal.push('defined');\nawait globalThis.gate;\nthrow 1;`],
  ]);
  let open = (): void => undefined;
  Object.assign(globalThis, {
    gate: new Promise<void>((resolve) => {
      open = resolve;
    }),
  });
  const load = host.loader.load('bad');
  while (!journal().includes('defined')) await new Promise((resolve) => setTimeout(resolve, 5));
  const table = defineInterface('hostile/shared', { version: 1, functions: { f: stub.value(1) } });
  open();
  expect(told(await load)).toBe('failed COEXIST_EFAILED bad');
  expect(defineInterface('hostile/shared', { version: 1, functions: { f: stub.value(1) } })).toBe(table);
});

test('a build beside another that is gone meanwhile is still the one that is loaded', async () => {
  const first = aHost([[{ name: 'm' }, `${imports}\nmoduleInit('t', () => { throw 1; });`]]);
  expect(told(await first.loader.load('m'))).toBe('loaded');
  const { dir, manifest } = writeBuild([[{ name: 'm', fingerprint: aBuild('other') }, noting('other')]]);
  const options = {
    fingerprint: aBuild('other'),
    dirs: [dir],
    manifest,
    area: first.area,
    otherBuilds: 'allow',
  } as const;
  using second = createLoader(options);
  expect(told(await second.load('m'))).toBe('loaded');
  expect((await first.loader.callInit('t')).failures).toMatchObject([{ module: 'm' }]);
  expect(told(await second.load('m'))).toBe('already');
  expect(journal()).toEqual(['other']);
});

test('a build that came in beside another is the process’s own when that is gone: a third is refused, with both named', async () => {
  const { area, options, loader: first } = aHost([[{ name: 'm' }, `${imports}\nmoduleInit('t', () => { throw 1; });`]]);
  const make = (seed: string, otherBuilds: 'allow' | 'refuse') => {
    const { dir, manifest } = writeBuild([[{ name: 'm', fingerprint: aBuild(seed) }, noting(seed)]]);
    return createLoader({ fingerprint: aBuild(seed), dirs: [dir], manifest, area, otherBuilds, origin: seed });
  };
  using second = make('second', 'allow');
  using third = make('third', 'refuse');
  using same = createLoader(options);
  expect([told(await first.load('m')), told(await second.load('m'))]).toEqual(['loaded', 'loaded']);
  // With the first in its place, its own build is no other.
  expect(told(await same.load('m'))).toBe('already');
  expect((await third.load('m')).message).toMatch(new RegExp(`${aBuild()}.*${aBuild('third')}`));
  await first.callInit('t');
  const outcome = await third.load('m');
  expect(told(outcome)).toBe('refused process m');
  expect(outcome.message).toMatch(new RegExp(`${aBuild('second')}.*${aBuild('third')}`));
  expect(told(await same.load('m'))).toBe('refused process m');
  expect(journal()).toEqual(['second']);
});

test('a request learns at once that what it shares was discarded', async () => {
  const { loader } = aHost([
    [{ name: 'm' }, `${imports}\nmoduleInit('t', () => new Promise(() => {}));`],
    [{ name: 'user', depends: ['m'] }, ''],
  ]);
  await loader.load('m');
  const phase = loader.callInit('t', { timeout: 400 });
  // It waits for the initialiser that has begun, for as long as the file's timeout and not 50 ms.
  const user = await loader.load('user', { timeout: 2 ** 31 - 1 });
  expect(told(user)).toBe('failed COEXIST_ETIMEDOUT m');
  expect((await phase).failures).toMatchObject([{ module: 'm', error: { code: 'COEXIST_ETIMEDOUT' } }]);
});
