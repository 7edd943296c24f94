// Namespaces and handles by themselves: numbers, what is refused, counting, who is told, and who else has a copy of the library.

import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import type * as library from '../../src/namespace.js';
import { copyUrl } from '../support/copies.js';
import { aDirectory, writeText } from '../support/modules.js';
import { withNamespaces } from '../support/namespace-child.js';
import { writePackage } from '../support/namespace-fixtures.js';

const EINVAL = 'COEXIST_EINVAL';

test('a new namespace gets the lowest number that is free, up to the limit', async () => {
  const dir = aDirectory();
  writePackage(dir, 'one', { format: 'cjs' });
  const result = await withNamespaces(
    async ({ lib: { openNamespace, iterate }, codeOf }, { dir }) => {
      const { readdirSync } = process.getBuiltinModule('node:fs');
      const limit = 4;
      const from = `${dir}/program.js`;
      const numbers: number[][] = [];
      const refused = new Set<string>();
      const links = new Set<string>();
      for (let round = 0; round < 10; round++) {
        const open: library.Namespace[] = [];
        for (let k = 0; k < limit; k++) open.push(openNamespace({ kind: 'closable', limit, from }));
        numbers.push(open.map(({ id }) => id));
        await Promise.all(open.map((namespace) => namespace.open('one')));
        const [entry] = iterate(1);
        const [root] = /^.*\/coexist-ns-[^/]*/.exec(new URL(entry?.url ?? '').pathname) ?? [''];
        links.add(readdirSync(root).join());
        refused.add(await codeOf(() => openNamespace({ kind: 'closable', limit })));
        refused.add(await codeOf(() => iterate(limit + 1)));
        links.add(readdirSync(root).join());
        for (const namespace of open) if (!namespace.close().released) refused.add('not released');
        if (readdirSync(root).length > 0) refused.add('a link is left');
      }
      const open = [1, 2, 3].map(() => openNamespace({ kind: 'closable' }));
      open[1]?.close();
      const second = openNamespace({ kind: 'closable' }).id;
      open[2]?.close();
      open[0]?.close();
      const rest = [openNamespace().id, openNamespace().id, openNamespace().id];
      return { numbers, refused: [...refused], links: [...links], second, rest };
    },
    { dir },
  );
  expect(result).toEqual({
    numbers: Array(10).fill([1, 2, 3, 4]),
    refused: [EINVAL],
    links: ['c1,c2,c3,c4'],
    second: 2,
    rest: [1, 3, 4],
  });
});

test('a permanent namespace keeps its number once it has a module of its own', async () => {
  const dir = aDirectory();
  writePackage(dir, 'one');
  const result = await withNamespaces(
    async ({ lib: { openNamespace }, codeOf }, { dir }) => {
      const from = `${dir}/program.js`;
      const [first, second, third] = [openNamespace({ from }), openNamespace({ from }), openNamespace({ from })];
      await first.open('one');
      const shared = await second.open('one', { shared: true });
      const closed = [first, second, third].map((namespace) => namespace.close());
      return {
        closed,
        again: first.close(),
        opens: shared.opens,
        gone: [await codeOf(() => second.info()), await codeOf(() => third.open('one'))],
        still: await codeOf(() => first.open('one')),
        next: [openNamespace().id, openNamespace().id, openNamespace().id],
        // Its own modules are the former namespace's no more.
        fresh: (await openNamespace({ id: 2 }).open('one', { from })).kind,
      };
    },
    { dir },
  );
  const released = { released: true, retainedModules: 0 };
  expect(result).toEqual({
    closed: [{ released: false, retainedModules: 1 }, released, released],
    again: { released: false, retainedModules: 1 },
    opens: 0,
    gone: ['COEXIST_EGONE', 'COEXIST_EGONE'],
    still: 'none',
    next: [2, 3, 4],
    fresh: 'own',
  });
});

test('numbers that were never given out, or are reserved, are refused', async () => {
  const result = await withNamespaces(async ({ lib: { openNamespace, iterate, BASE, NEW }, codeOf }) => {
    const refused: string[] = [];
    for (const id of [1, 9, 4096, 4097, -2, 1.5, Number.NaN, '1', null]) {
      refused.push(await codeOf(() => openNamespace({ id: id as number })));
    }
    // What is refused reserves nothing.
    refused.push(await codeOf(() => openNamespace({ id: 9, reserve: 3 })));
    refused.push(await codeOf(() => openNamespace({ limit: 3, reserve: 3 })));
    refused.push(await codeOf(() => openNamespace({ id: BASE, kind: 'closable', reserve: 3 })));
    const ids = [openNamespace({ id: BASE }).id, openNamespace({ id: NEW, reserve: 2 }).id];
    refused.push(await codeOf(() => openNamespace({ id: 1 })));
    refused.push(await codeOf(() => iterate(2)));
    refused.push(await codeOf(() => openNamespace({ id: BASE, reserve: 3 })));
    ids.push(openNamespace({ reserve: 1 }).id);
    refused.push(await codeOf(() => openNamespace({ limit: 4 })));
    return { refused: [...new Set(refused)], ids };
  });
  expect(result).toEqual({ refused: [EINVAL], ids: [0, 3, 4] });
});

test('what no argument may be is refused before anything changes', async () => {
  const dir = aDirectory();
  writePackage(dir, 'one');
  const result = await withNamespaces(
    async ({ lib, codeOf, evaluated }, { dir }) => {
      const { openNamespace, iterate, namespaceOf, observe, unique } = lib;
      const accepted: string[] = [];
      const refuse = async (what: string, run: () => unknown): Promise<void> => {
        const code = await codeOf(run);
        if (code !== 'COEXIST_EINVAL') accepted.push(`${what}: ${code}`);
      };
      const options: Record<string, unknown[]> = {
        kind: ['', 'private', 1, null],
        limit: [0, -1, 1.5, 4097, '4', Number.NaN, null],
        reserve: [-1, 0.5, 17, '1', null],
        transform: [1, 'x', null, () => ''],
        from: ['', 5, null, new URL('data:,x'), 'file://elsewhere/x'],
      };
      for (const [name, values] of Object.entries(options)) {
        for (const value of values) {
          await refuse(`${name} ${String(value)}`, () => openNamespace({ [name]: value }));
        }
      }
      await refuse('no options', () => openNamespace(null as never));
      await refuse('limit below reserve', () => openNamespace({ limit: 2, reserve: 3 }));
      const namespace = openNamespace({ from: `${dir}/program.js` });
      await refuse('another kind', () => openNamespace({ id: namespace.id, kind: 'closable' }));
      for (const specifier of ['', 5, undefined, null, {}, 'one\0', '\0', 'data:text/javascript,0']) {
        await refuse(`specifier ${String(specifier)}`, () => namespace.open(specifier as string));
      }
      for (const name of ['shared', 'isolate', 'noload', 'global']) {
        for (const value of [0, 1, 'true', null]) {
          await refuse(`${name} ${String(value)}`, () => namespace.open('one', { [name]: value }));
        }
      }
      await refuse('from', () => namespace.open('one', { from: '' }));
      await refuse('no options', () => namespace.open('one', null as never));
      for (const value of [5, undefined, null, {}]) {
        await refuse(`place ${String(value)}`, () => namespaceOf(value as string));
        await refuse(`observer ${String(value)}`, () => observe(value as never));
        await refuse(`name ${String(value)}`, () => unique(value as string));
      }
      for (const ns of [-1, 7, 0.5, '1']) await refuse(`iterate ${ns}`, () => iterate(ns as number));
      await refuse('policy', () => unique('one', { policy: 'never' as never }));
      await refuse('name', () => unique('a/b'));
      const closable = openNamespace({ kind: 'closable' });
      await refuse('finalizer', () => closable.onClose(5 as never));
      return {
        accepted,
        onClose: await codeOf(() => namespace.onClose(() => {})),
        ids: [namespace.id, closable.id],
        entries: iterate(namespace.id),
        evaluated: evaluated(),
      };
    },
    { dir },
  );
  expect(result).toEqual({ accepted: [], onClose: 'COEXIST_EUNSUPPORTED', ids: [1, 2], entries: [], evaluated: [] });
});

test('the base ignores shared, isolate and global, and holds no proxy; global is refused elsewhere', async () => {
  const dir = aDirectory();
  for (const name of ['one', 'two', 'three', 'four']) writePackage(dir, name, { unique: name === 'four' });
  const result = await withNamespaces(
    async ({ lib: { openNamespace, iterate, BASE }, codeOf, evaluated, load }, { dir }) => {
      const from = `${dir}/program.js`;
      const base = openNamespace({ id: BASE });
      const handles = [
        await base.open('one', { from, shared: true }),
        await base.open('two', { from, isolate: true, shared: true }),
        await base.open('three', { from, global: true }),
        await base.open('four', { from, isolate: true }),
        await base.open('node:path', { shared: true }),
      ];
      const other = openNamespace({ from });
      const refused = await codeOf(() => other.open('one', { global: true }));
      const refusedShared = await codeOf(() => other.open('one', { global: true, shared: true }));
      const untouched = iterate(other.id);
      const shared = await other.open('one', { shared: true });
      const builtin = await other.open('path', { isolate: true });
      return {
        handles: handles.map(({ ns, realNs, kind, path }) => [ns, realNs, kind, path.replace(dir, '')]),
        refused: [refused, refusedShared],
        untouched,
        kinds: [...new Set(iterate(BASE).map(({ kind, realNs, isolated }) => `${kind} ${realNs} ${isolated}`))],
        evaluated: evaluated(),
        same: shared.module === handles[0]?.module,
        builtin: [builtin.ns, builtin.realNs, builtin.kind, builtin.path, builtin.module === (await load('node:path'))],
        closed: base.close().released,
      };
    },
    { dir },
  );
  const file = (name: string) => [0, 0, 'own', `/node_modules/${name}/index.mjs`];
  expect(result).toEqual({
    handles: [file('one'), file('two'), file('three'), file('four'), [0, 0, 'own', 'node:path']],
    refused: [EINVAL, EINVAL],
    untouched: [],
    kinds: ['own 0 false'],
    evaluated: ['one', 'two', 'three', 'four'],
    same: true,
    builtin: [1, 0, 'proxy', 'node:path', true],
    closed: false,
  });
});

test('a proxy is the master itself, and closing it ends nothing: the master is there for good', async () => {
  const dir = aDirectory();
  const body = 'export let count = 0; export const add = () => ++count; export class Thing {}';
  writePackage(dir, 'one', { body });
  const result = await withNamespaces(
    async ({ lib: { openNamespace, iterate, BASE }, evaluated }, { dir }) => {
      type One = { count: number; add(): number; Thing: new () => object };
      const from = `${dir}/program.js`;
      const spaces = [1, 2].map(() => openNamespace({ from }));
      const proxies = await Promise.all(spaces.map((space) => space.open('one', { shared: true })));
      const base = await openNamespace({ id: BASE }).open('one', { from });
      const [first, second] = proxies.map(({ module }) => module as One);
      first?.add();
      second?.add();
      const master = base.module as One;
      const made = first && new first.Thing();
      const own = await openNamespace({ from }).open('one');
      const closed = [...proxies, base].map((handle) => handle.close());
      const left = [1, 2, 0].map((ns) => iterate(ns).map(({ kind }) => kind));
      const later = await openNamespace({ from }).open('one', { shared: true });
      return {
        identity: [first === master, second === master, later.module === master, own.module === master],
        instances: [made instanceof master.Thing, made instanceof (own.module as One).Thing],
        count: [master.count, (later.module as One).count, (own.module as One).count],
        evaluated: evaluated(),
        closed,
        left,
        stillReadable: proxies[0]?.module === master,
      };
    },
    { dir },
  );
  const kept = (retainedModules: number) => ({ released: false, retainedModules });
  expect(result).toEqual({
    identity: [true, true, true, false],
    instances: [true, false],
    count: [2, 2, 0],
    evaluated: ['one', '3:one'],
    closed: [kept(0), kept(0), kept(1)],
    left: [[], [], ['own']],
    stillReadable: true,
  });
});

test('info() and iterate() tell of proxies with the data of their masters', async () => {
  const dir = aDirectory();
  const url = copyUrl('a', 'namespace.js');
  const body = `import { iterate } from '${url}'; export const list = () => iterate().map(({ ns }) => ns);`;
  writePackage(dir, 'shared', { body });
  writePackage(dir, 'unique', { unique: true });
  writePackage(dir, 'own', { body, imports: { unique: '{ place as other }' } });
  const result = await withNamespaces(
    async ({ lib: { openNamespace, iterate, namespaceOf, BASE } }, { dir, url }) => {
      const from = `${dir}/program.js`;
      const space = openNamespace({ from });
      const shared = await space.open('shared', { shared: true });
      await space.open('shared', { shared: true });
      const own = await space.open('own');
      const listed = (ns: number) =>
        iterate(ns)
          .filter(({ path }) => path.startsWith(dir))
          .map(({ path, url, ...rest }) => ({ ...rest, name: path.slice(dir.length), in: namespaceOf(url) }));
      type Listing = { place: string; list(): number[] };
      const seen = (module: unknown) => [...new Set((module as Listing).list())];
      return {
        info: space.info(),
        base: openNamespace({ id: BASE }).info().kind,
        mine: listed(space.id),
        bases: listed(BASE).map(({ name, kind, opens }) => [name, kind, opens]),
        // A copy of the library came along, since it is no unique package.
        library: iterate(space.id).filter(({ path }) => url.endsWith(path)).length,
        urls: iterate(space.id).some((entry) => entry.url === (own.module as Listing).place),
        from: [seen(shared.module), seen(own.module)],
        outside: [...new Set(iterate().map(({ ns }) => ns))],
      };
    },
    { dir, url },
  );
  const common = { ns: 1, isolated: false, version: '1.0.0' };
  const file = (name: string) => `/node_modules/${name}/index.mjs`;
  expect(result).toEqual({
    info: { id: 1, kind: 'permanent', opens: 3, modules: 2, proxies: 2 },
    base: 'permanent',
    mine: [
      { ...common, realNs: 0, kind: 'proxy', package: 'shared', name: file('shared'), opens: 2, in: 0 },
      { ...common, realNs: 1, kind: 'own', package: 'own', name: file('own'), opens: 1, in: 1 },
      { ...common, realNs: 0, kind: 'proxy', package: 'unique', name: file('unique'), opens: 0, in: 0 },
    ],
    bases: [
      [file('shared'), 'own', 0],
      [file('unique'), 'own', 0],
    ],
    library: 1,
    urls: true,
    from: [[0], [1]],
    outside: [0],
  });
});

for (const format of ['esm', 'cjs'] as const) {
  test(`noload gives what is loaded, and loads and reads nothing (${format})`, async () => {
    const dir = aDirectory();
    for (const name of ['one', 'two']) writePackage(dir, name, { format });
    writePackage(dir, 'unique', { format, unique: true });
    const [early, late] = ['early', 'late'].map((name) => pathToFileURL(writePackage(dir, name, { format })).href);
    // Whoever read what it imports would find no module.
    writePackage(dir, 'torn', { format, imports: { nowhere: '{}' } });
    const result = await withNamespaces(
      async ({ lib: { openNamespace, iterate, BASE }, evaluated, load }, { dir, early, late }) => {
        const from = `${dir}/program.js`;
        // Before there are hooks.
        await load(early);
        const [base, space] = [openNamespace({ id: BASE }), openNamespace({ from })];
        const look = async (where: library.Namespace, name: string, options: library.OpenOptions = {}) => {
          const handle = await where.open(name, { ...options, from, noload: true });
          return handle && `${handle.ns} ${handle.kind} ${handle.opens}`;
        };
        const absent: unknown[] = [];
        for (const name of ['one', 'torn', 'unique']) {
          absent.push(await look(base, name), await look(space, name));
          absent.push(await look(space, name, { shared: true }), await look(space, name, { isolate: true }));
        }
        const listed = iterate(BASE).filter(({ path }) => /\/(?:one|torn|unique)\/index/.test(path));
        const nothing = [listed, iterate(space.id), evaluated()];
        // Having been looked for keeps nothing from being loaded.
        const handle = await base.open('one', { from });
        const found = {
          base: await look(base, 'one'),
          own: await look(space, 'one'),
          isolated: await look(space, 'one', { isolate: true }),
          proxy: await look(space, 'one', { shared: true }),
          again: await look(space, 'one'),
        };
        await space.open('two');
        const own = {
          base: await look(base, 'two'),
          shared: await look(openNamespace({ from }), 'two', { shared: true }),
          own: await look(space, 'two'),
        };
        await load(late);
        const others = { early: await look(base, 'early'), late: await look(space, 'late', { shared: true }) };
        const master = await base.open('unique', { from });
        const unique = { proxy: await look(space, 'unique'), isolated: await look(space, 'unique', { isolate: true }) };
        return {
          absent,
          nothing,
          found,
          own,
          others,
          unique,
          opens: [handle.opens, master.opens],
          evaluated: evaluated(),
        };
      },
      { dir, early: early ?? '', late: late ?? '' },
    );
    expect(result).toEqual({
      absent: Array(12).fill(null),
      nothing: [[], [], ['early']],
      found: { base: '0 own 2', own: null, isolated: null, proxy: '1 proxy 1', again: '1 proxy 2' },
      own: { base: null, shared: null, own: '1 own 2' },
      others: { early: '0 own 1', late: '1 proxy 1' },
      // A proxy that is there is what an open gives, isolated or not.
      unique: { proxy: '1 proxy 1', isolated: '1 proxy 2' },
      opens: [2, 1],
      evaluated: ['early', 'one', '1:two', 'late', 'unique'],
    });
  });
}

test('openings are counted, and each is closed once', async () => {
  const dir = aDirectory();
  writePackage(dir, 'one', { format: 'cjs' });
  writePackage(dir, 'two', { format: 'cjs' });
  const result = await withNamespaces(
    async ({ lib: { openNamespace, iterate }, codeOf, evaluated }, { dir }) => {
      const from = `${dir}/program.js`;
      const space = openNamespace({ from });
      const [one, same] = await Promise.all([space.open('one'), space.open('one')]);
      const counts = [one.opens, space.info().opens];
      const closings = [await codeOf(() => one.close()), await codeOf(() => same.close())];
      closings.push(await codeOf(() => one.close()), await codeOf(() => one[Symbol.dispose]()));
      const reopened = await space.open('one');
      reopened[Symbol.dispose]();
      reopened[Symbol.dispose]();
      counts.push(one.opens, space.info().opens);

      const proxy = await space.open('two', { shared: true });
      proxy.close();
      const next = await space.open('two', { shared: true });
      closings.push(await codeOf(() => proxy.close()));
      counts.push(proxy.opens, next.opens);

      const ended: string[] = [];
      const closable = openNamespace({ kind: 'closable', from });
      closable.onClose(() => ended.push('first'));
      closable.onClose(() => ended.push('second'));
      const [own, shared] = [await closable.open('one'), await closable.open('two', { shared: true })];
      const loaded = (own.module as { place: string }).place;
      const partly = own.close();
      const wholly = shared.close();
      const gone = [
        () => closable.open('one'),
        () => closable.open('node:path'),
        () => closable.info(),
        () => closable.onClose(() => {}),
        () => own.close(),
        () => iterate(closable.id),
        () => openNamespace({ id: closable.id }),
      ];
      const codes: string[] = [];
      for (const run of gone) codes.push(await codeOf(run));
      const pending = openNamespace({ kind: 'closable', from });
      const late = pending.open('one');
      pending.close();
      codes.push(await codeOf(() => late));
      return {
        same: [one === same, one === reopened, proxy === next],
        counts,
        closings,
        ended,
        closed: [partly, wholly, closable.close()],
        modules: [own.module, typeof shared.module, typeof loaded],
        codes,
        evaluated: evaluated(),
      };
    },
    { dir },
  );
  expect(result).toEqual({
    same: [true, true, false],
    counts: [2, 2, 0, 0, 0, 1],
    closings: ['none', 'none', 'COEXIST_EUNREGISTERED', 'none', 'COEXIST_EUNREGISTERED'],
    ended: ['second', 'first'],
    closed: [
      { released: false, retainedModules: 1 },
      { released: true, retainedModules: 0 },
      { released: true, retainedModules: 0 },
    ],
    // JSON has null for undefined.
    modules: [null, 'object', 'string'],
    codes: [...Array(4).fill('COEXIST_EGONE'), 'COEXIST_EUNREGISTERED', ...Array(2).fill(EINVAL), 'COEXIST_EGONE'],
    evaluated: ['1:one', 'two', '2:one'],
  });
});

test('a proxy that modules of the namespace import outlives its openings', async () => {
  const dir = aDirectory();
  writePackage(dir, 'unique', { unique: true });
  writePackage(dir, 'early', { imports: { unique: '{ place as other }' }, body: 'export { other };' });
  writePackage(dir, 'late', { imports: { unique: '{ place as other }' }, body: 'export { other };' });
  const result = await withNamespaces(
    async ({ lib: { openNamespace, iterate, namespaceOf } }, { dir }) => {
      const from = `${dir}/program.js`;
      const kinds = (ns: number) => iterate(ns).map((entry) => `${entry.package} ${entry.kind}`);
      const seen = ({ module }: library.Handle) => namespaceOf((module as { other: string }).other);
      const space = openNamespace({ from });
      const early = await space.open('early');
      (await space.open('unique')).close();
      const left = [kinds(space.id)];
      const isolated = await space.open('unique', { isolate: true });
      const late = await space.open('late');
      space.close();
      left.push(kinds(space.id));

      const other = openNamespace({ from });
      const first = await other.open('unique');
      await other.open('early');
      first.close();
      left.push(kinds(other.id));
      return { left, kind: isolated.kind, seen: [early, late].map(seen) };
    },
    { dir },
  );
  expect(result).toEqual({
    left: [
      ['early own', 'unique proxy'],
      ['early own', 'unique proxy', 'late own'],
      ['unique proxy', 'early own'],
    ],
    kind: 'proxy',
    seen: [0, 0],
  });
});

test('observers are told what has happened, and one that throws harms nobody', async () => {
  const dir = aDirectory();
  writePackage(dir, 'one', { imports: { below: '{ place as a }', unique: '{ place as b }' } });
  writePackage(dir, 'below');
  writePackage(dir, 'unique', { unique: true });
  writePackage(dir, 'script', { format: 'cjs' });
  writePackage(dir, 'thrown', { body: "throw new Error('on purpose');" });
  const result = await withNamespaces(
    async ({ lib: { openNamespace, observe }, codeOf }, { dir }) => {
      const { setImmediate: turn } = process.getBuiltinModule('node:timers/promises');
      const from = `${dir}/program.js`;
      const warnings: unknown[] = [];
      process.on('warning', (warning) => {
        if (warning.name === 'CoexistWarning') warnings.push((warning as NodeJS.ErrnoException).code);
      });
      let throwing = 0;
      const stopThrowing = observe(() => {
        throwing++;
        throw new Error('an observer');
      });
      const events: string[] = [];
      const stop = observe((event) => {
        if (event.type === 'unique') events.push(`unique ${event.copy.name} ${event.copy.outcome}`);
        else if ('kind' in event) events.push(`${event.type} ${event.ns} ${event.kind}`);
        else {
          const [, name] = /node_modules\/([^/]+)/.exec(event.path) ?? [];
          events.push(`${event.type} ${event.ns} ${name}${'opens' in event ? ` ${event.opens}` : ''}`);
        }
      });
      const told = (): string[] => events.splice(0).filter((event) => !event.startsWith('own 0'));
      const space = openNamespace({ from });
      const own = await space.open('one');
      const first = told();
      stopThrowing();
      const heard = throwing;
      await space.open('one');
      own.close();
      const second = told();
      const proxy = await space.open('below', { shared: true, from }).catch(() => undefined);
      const failed = await codeOf(() => space.open('thrown'));
      const third = told();
      const closable = openNamespace({ kind: 'closable', from });
      await closable.open('script');
      await closable.open('below', { shared: true });
      closable.close();
      const fourth = told();
      stop();
      stop();
      openNamespace();
      await turn();
      return {
        first,
        second,
        third,
        fourth,
        failed,
        refused: proxy === undefined,
        after: told(),
        heard: heard === throwing && heard > 0,
        warnings: warnings.length === throwing && warnings.every((code) => code === 'COEXIST_ENAMESPACE'),
      };
    },
    { dir },
  );
  expect(result).toEqual({
    first: [
      'created 1 permanent',
      'own 1 one',
      'own 1 below',
      'unique unique master',
      'proxy 1 unique',
      'opened 1 one 1',
    ],
    second: ['opened 1 one 2', 'closed 1 one 1'],
    third: ['own 1 thrown', 'dropped 1 thrown', 'failed 1 thrown'],
    fourth: [
      'created 2 closable',
      'own 2 script',
      'opened 2 script 1',
      'proxy 2 below',
      'opened 2 below 1',
      'closed 2 script 0',
      'closed 2 below 0',
      'dropped 2 below',
      'released 2 closable',
    ],
    failed: 'Error: on purpose',
    refused: true,
    after: [],
    heard: true,
    warnings: true,
  });
});

test('all copies of the library in a thread have one list of namespaces, those inside of them, too', async () => {
  const dir = aDirectory();
  const inner = copyUrl('b', 'namespace.js');
  writePackage(dir, 'inside', { body: `export * as lib from '${inner}';` });
  writePackage(dir, 'one');
  const file = writeText(dir, 'plain.mjs', 'export {};');
  const result = await withNamespaces(
    async ({ lib: a, load }, { dir, inner, file }) => {
      const b = await load<typeof a>(inner);
      const from = `${dir}/program.js`;
      const seen: string[] = [];
      const stop = b.observe((event) => seen.push(event.type));
      const space = a.openNamespace({ from });
      stop();
      const inside = ((await space.open('inside')).module as { lib: typeof a }).lib;
      b.unique('one');
      await inside.openNamespace({ id: space.id }).open('one');
      const numbers = [b.openNamespace().id, inside.openNamespace().id, a.openNamespace().id];
      return {
        copies: [a.openNamespace === b.openNamespace, inside.openNamespace === b.openNamespace],
        same: [b, inside].map((copy) => copy.openNamespace({ id: space.id }) === space),
        numbers,
        seen,
        listed: [b, inside].map((copy) => JSON.stringify(copy.iterate(1)) === JSON.stringify(a.iterate(1))),
        unique: [a, b, inside].map((copy) => copy.uniqueCopies().map(({ name }) => name)),
        places: [b, inside].map((copy) => copy.namespaceOf(a.iterate(space.id)[0]?.url ?? '')),
        plain: inside.namespaceOf(file),
      };
    },
    { dir, inner, file },
  );
  expect(result).toEqual({
    copies: [false, false],
    same: [true, true],
    numbers: [2, 3, 4],
    seen: ['created'],
    listed: [true, true],
    unique: [['one'], ['one'], ['one']],
    places: [1, 1],
    plain: 0,
  });
});
