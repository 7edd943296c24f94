// A9, registered-ness as seen from other realms and module systems of one thread: ES modules, require() of ES modules, CommonJS
// bundles, vm contexts with a global object of their own. Restated: each is a copy of its own, bundled where it has to be, and
// all of them find one slot and one count; in the main thread and in a worker.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import esbuild from 'esbuild';
import { beforeAll, describe, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { Actor } from '../support/actor.js';
import { inChild, root } from '../support/child.js';
import { copyUrl } from '../support/copies.js';
import { type Mode, modeEnv } from '../support/steps.js';

interface Args {
  readonly url: string;
  readonly required: string;
  readonly bundle: string;
}
type Core = typeof core;

const folder = join(root, 'build', 'a09');
const args: Args = {
  url: copyUrl('a', 'core.js'),
  required: join(root, 'build', 'copies', 'b', 'dist', 'core.js'),
  bundle: join(folder, 'core.cjs'),
};

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(root, 'dist', 'core.js')],
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    write: false,
  });
  writeFileSync(args.bundle, outputFiles[0]!.text);
});

/** Registers by every kind of copy, ends the registrations in an order that is none of theirs, and reports each state. */
async function tour({ load }: { load: (url: string) => Promise<Core> }, { url, required, bundle }: Args) {
  const { createRequire } = process.getBuiltinModule('node:module');
  const { readFileSync } = process.getBuiltinModule('node:fs');
  const vm = process.getBuiltinModule('node:vm');
  const require = createRequire(bundle);
  const source = readFileSync(bundle, 'utf8');

  const wrapper = `(function (module, exports, require) {${source}\n})`;
  const evaluate = (compiled: (module: unknown, exports: unknown, require: unknown) => void): Core => {
    const module = { exports: {} };
    compiled(module, module.exports, require);
    return module.exports as Core;
  };
  const inContext = (globals: object): Core =>
    evaluate(vm.runInContext(wrapper, vm.createContext(globals), { filename: 'in-context.cjs' }));
  // A new context has the language and nothing else; this is what the library uses beyond it.
  const timers = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval };
  const globals = { process, performance, Buffer, TextEncoder, TextDecoder, ...timers };

  const copies: Record<string, Core> = {
    import: await load(url),
    'require of an ES module': require(required) as Core,
    'require of a bundle': require(bundle) as Core,
    'this context': evaluate(vm.runInThisContext(wrapper)),
    'another context': inContext({ ...globals }),
    'a third context': inContext({ ...globals }),
  };
  const names = Object.keys(copies);
  const handles = new Map<string, core.Registration>();
  const seen = (name: string) => {
    const { slots } = (copies[name] as Core).attach().inspect();
    return slots.length === 0
      ? 'none'
      : slots.map(({ slot, refcount, holders }) => `${slot}:${refcount}:${holders.length}`).join();
  };
  const states: string[] = [];
  for (const [k, name] of names.entries()) {
    handles.set(name, (copies[name] as Core).register({ name }));
    states.push(seen(names[(k + 1) % names.length] as string));
  }
  const places = new Set([...handles.values()].map(({ slot, generation }) => `${slot}/${generation}`));
  const ids = new Set(names.map((name) => (copies[name] as Core).attach().id));
  const classes = new Set([...handles.values()].map((handle) => handle.constructor));

  // An area and a memory of one realm serve in another.
  const lent = (copies['another context'] as Core).register({ area: (copies['import'] as Core).attach() });
  const counter = new (copies['a third context'] as Core).Counter('realms/count');
  const sameCounter = new (copies['require of a bundle'] as Core).Counter('realms/count');
  const before = counter.sum();
  counter.add(2);
  sameCounter.add(3);
  const sums = [Number(counter.sum() - before), Number(sameCounter.sum() - before)];
  counter.dispose();
  sameCounter.dispose();
  lent.unregister();

  for (const k of [2, 0, 5, 3, 1, 4]) {
    handles.get(names[k] as string)?.unregister();
    states.push(seen(names[(k + 3) % names.length] as string));
  }
  let code: unknown;
  try {
    handles.get('another context')?.unregister();
  } catch (error) {
    code = (error as { code?: string }).code;
  }
  return { states, places: places.size, ids: ids.size, classes: classes.size, sums, code };
}

const expected = (slot: number) => ({
  states: [
    ...[1, 2, 3, 4, 5, 6].map((count) => `${slot}:${count}:${count}`),
    ...[5, 4, 3, 2, 1].map((count) => `${slot}:${count}:6`),
    'none',
  ],
  places: 1,
  ids: 1,
  classes: 6,
  sums: [5, 5],
  code: 'COEXIST_EUNREGISTERED',
});

describe.each(['wasm', 'twin'] satisfies Mode[])('%s', (mode) => {
  test('in the main thread', async () => {
    const { result, stderr } = await inChild(tour, args, { env: modeEnv(mode) });
    expect(result, stderr).toEqual(expected(0));
  });

  test('in a worker', async () => {
    const actor = await Actor.start({ env: modeEnv(mode) });
    expect(await actor.run(tour, args)).toEqual(expected(0));
    await actor.terminate();
  });
});
