// Random modules that depend on each other, wait, throw, implement the same interfaces and end never, loaded by two loaders at once that
// give up, call phases and are asked again: whatever comes of it, what is left is whole.

import { createLoader, inspectModules, type Loader } from 'coexist/module';
import { expect, test } from 'vitest';
import type { ThreadModules } from '../../src/core.js';
import { randomFrom } from '../support/histograms.js';
import { aHost, newJournal } from '../support/loaders.js';
import type { ModuleSource } from '../support/modules.js';

const ROUNDS = 30;
const MODULES = 7;
const PHASES = ['x', 'y'];

const seed = Number(process.env['COEXIST_SEED'] ?? Date.now() & 0xfffff);
const random = randomFrom(seed);
const below = (n: number): number => Math.floor(random() * n);
const chance = (p: number): boolean => random() < p;

const holder = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, ThreadModules>;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Bodies say what they do to `globalThis.events`: [what, evaluation of the module]. */
function aModule(k: number, round: number): ModuleSource {
  const name = `m${k}`;
  const depends = Array.from({ length: k }, (_, d) => `m${d}`).filter(() => chance(0.35));
  const interfaces: Record<string, number> = chance(0.3) ? { [`random/${round}/${below(2)}`]: 1 } : {};
  const wait = (): string => (chance(0.5) ? `await new Promise((resolve) => setTimeout(resolve, ${below(4)}));` : '');
  const fault = (p: number): string =>
    chance(p) ? (chance(0.7) ? "throw new Error('broken');" : 'await new Promise(() => {});') : '';
  const inits = Array.from({ length: below(4) }, (_, i) => {
    const scope = chance(0.25) ? 'process' : 'thread';
    const body = `${wait()} note('init ${i} ${scope}'); ${fault(0.12)}`;
    return `moduleInit('${PHASES[below(2)]}', async () => { ${body} }, { scope: '${scope}' });`;
  });
  const implementations = Object.keys(interfaces).map(
    (each) => `implement('${each}', { version: 1, functions: { f() {} } });`,
  );
  const body = `import { moduleInit, implement } from 'coexist/module';
    const me = globalThis.evaluations++;
    const note = (what) => globalThis.events.push('${name} ' + me + ' ' + what);
    note('evaluated'); ${wait()} ${fault(0.08)}
    ${inits.join('\n')} ${implementations.join('\n')}
    export { me };`;
  return [{ name, depends, interfaces }, body];
}

/** Everything that was asked for, also what nobody waited for at once. */
const asked: Promise<unknown>[] = [];

async function play(loader: Loader, others: readonly Loader[]): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    const by = chance(0.3) ? (others[below(others.length)] as Loader) : loader;
    const controller = new AbortController();
    const options = { timeout: 20 + below(60), signal: controller.signal };
    const request = chance(0.25)
      ? by.callInit(PHASES[below(2)] as string, options)
      : chance(0.15)
        ? by.loadAll(options)
        : by.load(`m${below(MODULES)}`, options);
    if (chance(0.2)) setTimeout(() => controller.abort(new Error('enough')), below(20));
    const next = below(4);
    asked.push(request);
    if (next < 2) await request;
    else if (next === 2) await pause(below(5));
    else await Promise.all([request, by.load(`m${below(MODULES)}`, options)]);
  }
}

test(`what is left is whole (seed ${seed})`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    newJournal();
    const events: string[] = [];
    // What was given up in the last round may write still: its evaluation has another number.
    Object.assign(globalThis, { events, evaluations: 1000 * round });
    const host = aHost(
      Array.from({ length: MODULES }, (_, k) => aModule(k, round)),
      { timeout: 200 },
    );
    const loaders = [host.loader, createLoader(host.options)];
    const where = `round ${round}`;
    await Promise.all([0, 1, 2, 3].map((k) => play(loaders[k % 2] as Loader, loaders)));
    await Promise.all(asked.splice(0));

    const list = host.loader.list();
    const loaded = new Set(list.filter(({ state }) => state === 'loaded').map(({ name }) => name));
    for (const { name, depends } of list) {
      if (loaded.has(name)) for (const each of depends) expect(loaded, `${where}: ${name}`).toContain(each);
    }
    const { areas, evaluating, interfaces, holds } = holder[Symbol.for('coexist.modules.v1')] as ThreadModules;
    const modules = [...(areas.get(host.area.id)?.values() ?? [])];
    expect(modules.map(({ name }) => name).sort(), where).toEqual([...loaded].sort());
    expect(
      modules.map(({ interest, state }) => `${interest} ${state}`),
      where,
    ).toEqual(modules.map(() => '0 loaded'));
    expect(evaluating, where).toEqual([]);
    // Rows: those that are loaded, and those whose initialisers of the process never end.
    const rows = inspectModules({ area: host.area }).filter(({ threads }) => threads.some((each) => each.loaded));
    expect(rows.map(({ name }) => name).sort(), where).toEqual([...loaded].sort());
    expect([...holds.keys()].filter((key) => key.startsWith(`${host.area.id}:`)).length).toBeGreaterThanOrEqual(
      loaded.size,
    );
    for (const { name, current, waiting } of interfaces.values()) {
      if (!name.startsWith(`random/${round}/`)) continue;
      const provider = waiting?.module ?? current.provider;
      if (provider !== undefined) expect(loaded, `${where}: ${name}`).toContain(provider);
    }
    for (const { name, interfaces: implemented } of list) {
      if (!loaded.has(name)) continue;
      for (const each of Object.keys(implemented)) expect(interfaces.get(each)?.waiting?.module, where).toBe(name);
    }
    // Each entry once for each evaluation; of the process, once in all that succeeded.
    expect(events.length, where).toBe(new Set(events).size);
    for (const loader of loaders) loader[Symbol.dispose]();
  }
}, 60_000);
