// A12, the facility is absent or denied: ids stay -1 or -2, operations fall back as documented, probe says false.
// Restated, since registering needs nothing of the kernel, for each thing that can be denied: WebAssembly (the transitions run in
// JavaScript), the inspector (a worker that nobody prepared cannot join by itself), /proc (nobody can be proven dead).
// A runtime without SharedArrayBuffer is not among those that the library runs on.

import { describe, expect, test } from 'vitest';
import { type ChildContext, type ChildOptions, inChild, root } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

const permission = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';
const denied: ChildOptions = { flags: [permission, `--allow-fs-read=${root}/*`, '--allow-worker'] };

/** Two copies, a worker that registers and dies, and what is left of it. */
async function tour({ load, module }: ChildContext, { urlA, urlB }: { urlA: string; urlB: string }) {
  const [a, b] = [await load(urlA), await load(urlB)];
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const area = a.attach();
  const first = a.register({ name: 'tour' });
  const second = b.register();
  const step = async ({ load }: ChildContext, url: string) => {
    const { register, Counter } = await load(url);
    const { parentPort } = process.getBuiltinModule('node:worker_threads');
    const counter = new Counter('tour/count');
    counter.add(5);
    parentPort?.on('message', () => {});
    parentPort?.postMessage(register().slot);
  };
  const counter = new b.Counter('tour/count');
  counter.add(2);
  const source = new URL(`data:text/javascript,${encodeURIComponent(module(String(step), urlB))}`);
  const worker = new Worker(source);
  const slot = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const alive = area.inspect().slots;
  await worker.terminate();
  // Long enough for a thread to leave /proc.
  for (let k = 0; k < 60 && area.inspect().slots.length > 1; k++) {
    area.reclaim();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const workerThreads = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, Int32Array>;
  const high = workerThreads[Symbol.for('coexist.thread.v1')]?.[3] ?? 0;
  const { wasm, provesDeath, synchronous, reasons } = a.probe();
  const outcome = {
    probe: { wasm, provesDeath, synchronous, reasons },
    memory: area.memory !== undefined,
    shared: Object.prototype.toString.call(area.buffer),
    bit61: ((high >>> 29) & 1) === 1,
    worker: alive.find((row) => row.slot === slot),
    left: area.inspect().slots.map((row) => [row.slot, row.refcount, row.alive]),
    sum: Number(counter.sum()),
    slots: [first.slot, second.slot, slot],
  };
  counter.dispose();
  second.unregister();
  first.unregister();
  return { ...outcome, end: area.inspect().slots.length };
}

const urls = { urlA: copyUrl('a', 'core.js'), urlB: copyUrl('b', 'core.js') };

describe.each([
  ['switched off', { env: { COEXIST_NO_WASM: '1' } }],
  ['not in this runtime', { flags: ['--jitless'] }],
])('wasm %s', (_, options) => {
  test('everything works, in JavaScript, and probe() says so', async () => {
    const { result, stderr } = await inChild(tour, urls, options);
    expect(result, stderr).toMatchObject({
      probe: { wasm: false, provesDeath: true, synchronous: true, reasons: [expect.stringContaining('wasm is off')] },
      memory: false,
      shared: '[object SharedArrayBuffer]',
      worker: { refcount: 2, alive: true },
      left: [[0, 3, true]],
      sum: 7,
      slots: [0, 0, 1],
      end: 0,
    });
  });
});

describe('/proc refused by the permission model', () => {
  test('identities are random, nobody is proven dead, all else works', async () => {
    const { result, stderr } = await inChild(tour, urls, denied);
    expect(result, stderr).toMatchObject({
      probe: {
        provesDeath: false,
        synchronous: true,
        reasons: expect.arrayContaining([expect.stringContaining('/proc')]),
      },
      bit61: true,
      worker: { refcount: 2, alive: null, osTid: null },
      // The dead worker's slot stays: unknown is never reclaimed.
      left: [
        [0, 3, null],
        [1, 2, null],
      ],
      sum: 7,
      slots: [0, 0, 1],
      end: 1,
    });
  });

  test('the table fills up, and says why', async () => {
    const { result } = await inChild(
      async ({ load, module }, url) => {
        const { attach } = await load(url);
        attach();
        const { Worker } = process.getBuiltinModule('node:worker_threads');
        const step = async ({ load }: ChildContext, url: string) => {
          const { parentPort } = process.getBuiltinModule('node:worker_threads');
          try {
            parentPort?.postMessage(String((await load(url)).register().slot));
          } catch (error) {
            parentPort?.postMessage((error as Error).message);
          }
        };
        const source = new URL(`data:text/javascript,${encodeURIComponent(module(String(step), url))}`);
        const answers: unknown[] = [];
        for (let k = 0; k < 3; k++) {
          const worker = new Worker(source);
          worker.once('message', (answer) => answers.push(answer));
          await new Promise((resolve) => worker.once('exit', resolve));
        }
        return answers;
      },
      copyUrl('a'),
      { ...denied, env: { COEXIST_SLOTS: '2' } },
    );
    expect(result).toEqual(['0', '1', expect.stringMatching(/^COEXIST_EFULL: all 2 slots .*cannot be proven dead/)]);
  });
});

describe('the inspector refused, and nothing attached in the main thread', () => {
  const orphan = async ({ module }: ChildContext, { url, timeout }: { url: string; timeout: number }) => {
    const { Worker } = process.getBuiltinModule('node:worker_threads');
    const step = async ({ load }: ChildContext, { url, timeout }: { url: string; timeout: number }) => {
      const { attach, attachAsync, probe } = await load(url);
      const { via, synchronous, reasons } = probe();
      const failure = async (attempt: () => unknown) => {
        try {
          await attempt();
          return 'attached';
        } catch (error) {
          const { code, message } = error as NodeJS.ErrnoException;
          return { code, message };
        }
      };
      const sync = await failure(() => attach());
      const later = await failure(() => attachAsync({ timeout }));
      const result = { via, synchronous, reasons, sync, later, attached: probe().attached };
      process.getBuiltinModule('node:worker_threads').parentPort?.postMessage(result);
    };
    const source = new URL(`data:text/javascript,${encodeURIComponent(module(String(step), { url, timeout }))}`);
    const worker = new Worker(source);
    const result = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    return result as Record<string, unknown>;
  };

  test.each([
    ['switched off', { env: { COEXIST_NO_INSPECTOR: '1' } }, /COEXIST_NO_INSPECTOR=1/],
    ['refused by the permission model', denied, /refused by the permission model/],
  ] as const)('%s: ERENDEZVOUS names causes and remedies', async (_, options, cause) => {
    const { result, stderr } = await inChild(orphan, { url: copyUrl('a'), timeout: 300 }, options);
    const remedies = /main thread .*node --import coexist\/preload.*attachAsync\(\)/s;
    expect(result, stderr).toMatchObject({
      sync: { code: 'COEXIST_ERENDEZVOUS', message: expect.stringMatching(cause) },
      later: { code: 'COEXIST_ERENDEZVOUS', message: expect.stringMatching(/did not|nor did .*within 300 ms/) },
      attached: false,
    });
    expect((result['sync'] as { message: string }).message).toMatch(remedies);
  });

  test('probe() says beforehand that only attachAsync() can succeed, and why', async () => {
    const env = { COEXIST_NO_INSPECTOR: '1' };
    const { result } = await inChild(orphan, { url: copyUrl('b'), timeout: 0 }, { env });
    expect(result).toMatchObject({
      via: 'announcement',
      synchronous: false,
      reasons: expect.arrayContaining([expect.stringMatching(/COEXIST_NO_INSPECTOR=1/)]),
    });
  });
});
