// A9, registered-ness as seen from everywhere in a thread that registered once: modules, timers, message handlers, exit
// handlers, uncaughtException handlers, finalization callbacks; in the main thread, a worker and a nested worker.
// Restated: signal handlers, atexit, atfork and destructors become what JavaScript has in their place; "seen" means that
// another copy finds the same slot and generation, counts it up and down again, and reads the same count before and after.

import { describe, expect, test } from 'vitest';
import { type ChildContext, inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

interface Args {
  readonly urlA: string;
  readonly urlB: string;
  readonly source: string;
  readonly depth: number;
}
interface Report {
  readonly thread: string;
  readonly seen: Record<string, string>;
  /** Of the main thread, at its exit: how many slots are still registered, its own included. */
  readonly left: number;
}

async function visit({ load, report, module }: ChildContext, { urlA, urlB, source, depth }: Args): Promise<void> {
  const [a, b] = [await load(urlA), await load(urlB)];
  const { Worker, MessageChannel, parentPort } = process.getBuiltinModule('node:worker_threads');
  const { setImmediate: turn } = process.getBuiltinModule('node:timers/promises');
  const held = a.register({ name: 'held' });
  const seen: Record<string, string> = {};
  const rows = () => b.attach().inspect().slots;
  const count = () => rows().find((row) => row.slot === held.slot && row.generation === held.generation)?.refcount;
  const look = (place: string): void => {
    const before = count();
    const again = b.register();
    const same = again.slot === held.slot && again.generation === held.generation && again.cpuId() === held.cpuId();
    const during = count();
    again.unregister();
    seen[place] = `${same ? 'same slot' : 'another slot'}, ${before} ${during} ${count()}`;
  };
  const arrives = async (place: string, start: (arrive: () => void) => void): Promise<void> => {
    await new Promise<void>((resolve) => {
      start(() => {
        look(place);
        resolve();
      });
    });
  };

  look('module');
  await arrives('microtask', (arrive) => queueMicrotask(arrive));
  await arrives('nextTick', (arrive) => process.nextTick(arrive));
  await arrives('timer', (arrive) => setTimeout(arrive, 1));
  await arrives('immediate', (arrive) => setImmediate(arrive));
  const { port1, port2 } = new MessageChannel();
  await arrives('message', (arrive) => {
    port1.once('message', arrive);
    port2.postMessage(1);
  });
  port1.close();
  await arrives('uncaughtException', (arrive) => {
    process.once('uncaughtException', arrive);
    setImmediate(() => {
      throw new Error('expected');
    });
  });
  await arrives('unhandledRejection', (arrive) => {
    process.once('unhandledRejection', arrive);
    Promise.reject(new Error('expected'));
  });
  await arrives('finalization', async (arrive) => {
    let called = false;
    const registry = new FinalizationRegistry(() => {
      if (!called) arrive();
      called = true;
    });
    for (let k = 0; k < 500 && !called; k++) {
      registry.register({}, k);
      (globalThis as { gc?: () => void }).gc?.();
      await turn();
    }
  });
  if (depth < 2) {
    const text = module(source, { urlA, urlB, source, depth: depth + 1 });
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
    await arrives('message of a worker', (arrive) => {
      worker.once('message', arrive);
    });
    await new Promise((resolve) => worker.once('exit', resolve));
    look("after a worker's exit");
  }
  parentPort?.postMessage('visited');
  process.once('beforeExit', () => look('beforeExit'));
  process.once('exit', () => {
    look('exit');
    if (depth > 0) held.unregister();
    report({ thread: ['main', 'worker', 'nested worker'][depth], seen, left: rows().length });
  });
}

describe.each([
  ['wasm', ''],
  ['twin', '1'],
])('%s', (_, noWasm) => {
  test('one registration is seen from everywhere', async () => {
    const args = { urlA: copyUrl('a'), urlB: copyUrl('b'), source: String(visit), depth: 0 };
    const options = { flags: ['--expose-gc'], env: { COEXIST_NO_WASM: noWasm } };
    const { code, reports, stderr } = await inChild<unknown, Args>(visit, args, options);
    expect(code, stderr).toBe(0);
    const places = ['module', 'microtask', 'nextTick', 'timer', 'immediate', 'message', 'uncaughtException'];
    places.push('unhandledRejection', 'finalization');
    const withWorker = [...places, 'message of a worker', "after a worker's exit"];
    const all = (names: string[]) =>
      Object.fromEntries([...names, 'beforeExit', 'exit'].map((name) => [name, 'same slot, 1 2 1']));
    expect(reports as Report[]).toEqual([
      { thread: 'nested worker', seen: all(places), left: 2 },
      { thread: 'worker', seen: all(withWorker), left: 1 },
      { thread: 'main', seen: all(withWorker), left: 1 },
    ]);
  });
});
