// Every row of the twelve tables of dlmopen(), for ES modules, for CommonJS, and for CommonJS in namespaces that can be closed; each with
// the lowest number free, and with it reserved, as glibc's are with an auditor.

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type * as library from '../../src/namespace.js';
import { type ChildContext, inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';
import { aDirectory } from '../support/modules.js';
import { type Format, targetAndLibc } from '../support/namespace-fixtures.js';
import { type TableName, type TableRow, tables } from '../support/namespace-tables.js';

interface Play {
  readonly url: string;
  readonly kind: library.NamespaceKind;
  readonly reserve: number;
  readonly tables: readonly {
    readonly name: TableName;
    readonly rows: readonly TableRow[];
    readonly dir: string;
    /** Real paths of the module that is opened and of the unique package that it imports. */
    readonly files: readonly string[];
  }[];
}

/** What is wrong with each row of a table, none where nothing is. */
interface Played {
  readonly table: TableName;
  readonly problems: Record<string, string[]>;
}

/** Runs tables one after the other in this thread. Behind each, its namespace is closed, which only a closable one survives. */
async function play({ load, report }: ChildContext, { url, kind, reserve, tables }: Play): Promise<void> {
  const { openNamespace, iterate, namespaceOf, BASE } = await load<typeof library>(url);
  const { createRequire } = process.getBuiltinModule('node:module');
  const { fileURLToPath: pathOf } = process.getBuiltinModule('node:url');
  const global = globalThis as { evaluated?: string[] };
  const X = reserve + 1;
  const numbers = [...Array(X + 2).keys()];
  if (reserve > 0) openNamespace({ id: BASE, reserve });

  for (const { name, rows, dir, files } of tables) {
    const [target, libc] = files as [string, string];
    const require = createRequire(target);
    const handles = new Map<number, library.Handle>();
    let isolated = false;
    global.evaluated = [];

    /** Undefined where there is no such namespace. */
    const entriesIn = (ns: number): library.NamespaceEntry[] | undefined => {
      try {
        return iterate(ns).filter(({ path }) => ns !== BASE || path.startsWith(dir));
      } catch (error) {
        if ((error as { code?: string }).code !== 'COEXIST_EINVAL') throw error;
        return undefined;
      }
    };
    const entryIn = (ns: number, path: string) => entriesIn(ns)?.find((entry) => entry.path === path);
    const moduleIn = (ns: number): Promise<unknown> => {
      const entry = entryIn(ns, target);
      if (entry === undefined) return Promise.resolve(undefined);
      if (kind === 'closable' && entry.kind === 'own' && ns !== BASE) return require(pathOf(entry.url));
      return load(entry.url);
    };
    const modules = () => Promise.all(numbers.map(moduleIn));
    const evaluations = (path: string): string =>
      String(
        global.evaluated
          ?.filter((place) => place.endsWith(path))
          .map((place) => namespaceOf(place))
          .sort(),
      );
    const snapshot = () => ({
      namespaces: numbers.map((ns) => {
        const entries = entriesIn(ns);
        return entries && { entries, info: openNamespace({ id: ns }).info() };
      }),
      evaluated: [...(global.evaluated ?? [])],
      opens: [...handles].map(([ns, { opens }]) => [ns, opens]),
    });
    const present = (path: string): string =>
      numbers
        .flatMap((ns) => {
          const entry = entryIn(ns, path);
          if (entry === undefined) return [];
          return `${ns}${entry.kind === 'proxy' ? 'p' : ''}`;
        })
        .join() || '-';
    const numberOf = (place: '0' | 'X'): number => (place === '0' ? BASE : X);
    const written = (cells: TableRow['before']): string =>
      cells.map((cell) => `${numberOf(cell.in)}${cell.proxy ? 'p' : ''}`).join() || '-';

    async function run({ before, target: into, shared, isolate, result }: TableRow): Promise<string[]> {
      const wrong: string[] = [];
      const same = (what: string, found: unknown, expected: unknown): void => {
        if (!Object.is(found, expected)) wrong.push(`${what} is ${String(found)}, expected ${String(expected)}`);
      };
      const equal = (what: string, found: unknown, expected: unknown): void =>
        same(what, JSON.stringify(found), JSON.stringify(expected));

      same('before', present(target), written(before));
      const [had, hadModules] = [snapshot(), await modules()];
      const namespace = openNamespace(into === '+' ? { kind } : { id: numberOf(into) });
      same('its number', namespace.id, into === '0' ? BASE : X);
      let handle: library.Handle | undefined;
      let thrown: unknown;
      try {
        handle = await namespace.open(`target-${name}`, { from: `${dir}/program.js`, shared, isolate });
      } catch (error) {
        thrown = error;
      }
      const [has, hasModules] = [snapshot(), await modules()];
      equal('what looking evaluates', snapshot().evaluated, has.evaluated);

      for (const ns of numbers) {
        if (hadModules[ns] === undefined) continue;
        same(`whether ${ns} has the module that it had`, hasModules[ns] === hadModules[ns], true);
        if (ns === handle?.ns) continue;
        equal(
          `what ${ns} has of the target`,
          has.namespaces[ns]?.entries.filter(({ path }) => path === target),
          had.namespaces[ns]?.entries.filter(({ path }) => path === target),
        );
      }
      if (result === undefined) {
        same('the error', (thrown as { code?: string })?.code, 'COEXIST_EEXIST');
        equal('what is there', has, had);
        return wrong;
      }
      if (handle === undefined) return [...wrong, `open() threw ${String(thrown)}`];

      if (isolate) isolated = true;
      const { after, handle: wanted, libc: libcOf } = result;
      const ns = numberOf(wanted.in);
      same('after', present(target), written(after));
      same('handle.ns', handle.ns, ns);
      same('handle.kind', handle.kind, wanted.proxy ? 'proxy' : 'own');
      same('handle.realNs', handle.realNs, wanted.proxy ? BASE : ns);
      same('handle.path', handle.path, target);
      const known = handles.get(ns);
      if (known !== undefined) same('whether it is the handle as before', handle === known, true);
      const opens = had.opens.find(([at]) => at === ns)?.[1] ?? 0;
      same('handle.opens', handle.opens, opens + 1);
      handles.set(ns, handle);

      same('whether its module is that of its namespace', handle.module === hasModules[ns], true);
      same('whether it is the base module', handle.module === hasModules[BASE], ns === BASE || wanted.proxy);
      same('the namespace of its libc', namespaceOf((handle.module as { libc: string }).libc), numberOf(libcOf));

      const own = after.filter(({ proxy }) => !proxy).map((cell) => numberOf(cell.in));
      same('the namespaces that evaluated it', evaluations(target), own.join());
      // What a module imports is where that is: of a proxy nowhere but in the base.
      const libcs = [
        ...(own.includes(BASE) || !isolated ? ['0'] : []),
        ...(own.includes(X) ? [isolated ? `${X}` : `${X}p`] : []),
      ];
      same('where libc is', present(libc), libcs.join());
      same('the namespaces that evaluated libc', evaluations(libc), libcs.filter((text) => !text.endsWith('p')).join());
      const inX = after.find((cell) => cell.in === 'X');
      const entries = inX === undefined ? undefined : inX.proxy ? 1 : 2;
      same('how much the namespace has', has.namespaces[X]?.entries.length, entries);
      same(
        'whether all of it is isolated',
        has.namespaces[X]?.entries.every((entry) => entry.isolated) ?? false,
        isolated,
      );
      for (const number of numbers) {
        if (number !== BASE && number !== X) same(`namespace ${number}`, has.namespaces[number], undefined);
      }
      const info = has.namespaces[ns]?.info;
      equal('info()', [info?.opens, info?.proxies], [opens + 1, ns === BASE || isolated ? 0 : 1]);
      return wrong;
    }

    const problems: Record<string, string[]> = {};
    for (const row of rows) problems[row.text] = await run(row);
    report({ table: name, problems } satisfies Played);
    const base = handles.get(BASE);
    while (base !== undefined && base.opens > 0) base.close();
    if (kind === 'closable' && !openNamespace({ id: X }).close().released)
      throw new Error(`${name}: it is still there`);
  }
}

/** Runs each list of tables in a thread of its own, as many at a time as there are lanes. */
async function playAll(
  { module }: ChildContext,
  { step, plays, lanes }: { step: string; plays: readonly Play[]; lanes: number },
): Promise<void> {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const waiting = plays.map((args) => `data:text/javascript,${encodeURIComponent(module(step, args))}`);
  const lane = async (): Promise<void> => {
    for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
      const worker = new Worker(new URL(url));
      await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

type Variant = { readonly format: Format; readonly kind: library.NamespaceKind; readonly reserve: number };

const variants: readonly Variant[] = [0, 1].flatMap((reserve): Variant[] => [
  { format: 'esm', kind: 'permanent', reserve },
  { format: 'cjs', kind: 'permanent', reserve },
  { format: 'cjs', kind: 'closable', reserve },
]);

/** What is wrong with the rows of these tables. */
async function playing(
  names: readonly TableName[],
  { format, kind, reserve }: Variant,
  url = copyUrl('a', 'namespace.js'),
): Promise<Map<TableName, Played['problems']>> {
  const played = names.map((name) => {
    const fixture = targetAndLibc(format, name, name.startsWith('unique'));
    return { name, rows: tables.get(name) ?? [], ...fixture };
  });
  // A permanent namespace keeps its number, and the next table is to have the same one.
  const lists = kind === 'closable' ? [played] : played.map((table) => [table]);
  const plays = lists.map((list): Play => ({ url, kind, reserve, tables: list }));
  const { reports, stderr, code } = await inChild<unknown, { step: string; plays: Play[]; lanes: number }>(playAll, {
    step: String(play),
    plays,
    lanes: 2,
  });
  expect(code, stderr).toBe(0);
  return new Map((reports as Played[]).map(({ table, problems }) => [table, problems]));
}

test('the tables are all rows of upstream, and two of its comments that its code has otherwise', () => {
  expect([...tables.keys()]).toHaveLength(12);
  expect([...tables.values()].flat()).toHaveLength(44 + 2);
  // A row starts from what the one before it has left, and loses nothing of that.
  const words = (cells: TableRow['before']) => cells.map((cell) => `${cell.in}${cell.proxy ? 'p' : ''}`);
  for (const rows of tables.values()) {
    let state: string[] = [];
    for (const { text, before, result } of rows) {
      expect(words(before), text).toEqual(state);
      if (result === undefined) continue;
      expect(words(result.after.filter(({ added }) => !added)), text).toEqual(state);
      state = words(result.after);
    }
  }
});

describe.each(variants)('$format modules, $kind namespaces, $reserve reserved', (variant) => {
  let results: Map<TableName, Played['problems']>;

  beforeAll(async () => {
    results = await playing([...tables.keys()], variant);
  });

  test.each([...tables.keys()])('%s', (table) => {
    const right = (tables.get(table) ?? []).map(({ text }) => [text, []]);
    expect(results.get(table)).toEqual(Object.fromEntries(right));
  });
});

test('without the checks that throw COEXIST_EEXIST at least five rows fail', async () => {
  const dir = aDirectory();
  // The library's file, and that of its hooks on Node 20.
  for (const file of ['namespace.js', 'namespace-hooks.js']) {
    cpSync(fileURLToPath(copyUrl('a', file)), join(dir, file));
  }
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ type: 'module' }));
  const at = join(dir, 'namespace.js');
  const text = readFileSync(at, 'utf8');
  const check = /if \([^\n]*\) throw exists\(/g;
  expect(text.match(check)).toHaveLength(3);
  writeFileSync(at, text.replace(check, 'if (false) throw exists('));
  const refusing = [...tables.keys()].filter((name) => tables.get(name)?.some(({ result }) => result === undefined));
  const variant: Variant = { format: 'esm', kind: 'permanent', reserve: 0 };
  const results = await playing(refusing, variant, pathToFileURL(at).href);
  const failed = [...results.values()]
    .flatMap((problems) => Object.values(problems))
    .filter(({ length }) => length > 0);
  expect(failed.length).toBeGreaterThanOrEqual(5);
});
