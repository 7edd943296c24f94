// Clause 8: the bridge into the main thread. The worker's inspector session is replaced by one that records what is asked of
// it and passes it on.

import { describe, expect, test } from 'vitest';
import { inProcess, type Tools } from '../support/own-process.js';

/** Runs in the worker: attaches over a recorded session. */
const recorded = async (
  { load }: { load<M>(url: string): Promise<M> },
  { url, timeout, deaf, mute }: { url: string; timeout: number; deaf?: boolean; mute?: boolean },
) => {
  const inspector = process.getBuiltinModule('node:inspector');
  const threads = process.getBuiltinModule('node:worker_threads');
  const calls: string[] = [];
  const expressions: string[] = [];
  const messages: unknown[] = [];
  const { post, connectToMainThread, disconnect } = inspector.Session.prototype;
  Object.assign(inspector.Session.prototype, {
    connectToMainThread(this: never) {
      calls.push('connectToMainThread');
      return connectToMainThread.call(this);
    },
    post(this: never, method: string, params: { expression: string }) {
      calls.push(method);
      expressions.push(params.expression);
      if (mute) throw Object.assign(new Error('refused'), { code: 'ERR_REFUSED' });
      return (post as (...args: unknown[]) => void).call(this, method, params);
    },
    disconnect(this: never) {
      calls.push('disconnect');
      return disconnect.call(this);
    },
  });
  const receive = threads.receiveMessageOnPort;
  threads.receiveMessageOnPort = (port) => {
    const received = deaf ? undefined : receive(port);
    if (received !== undefined) messages.push(received.message);
    return received;
  };
  // Coverage tools rewrite functions, so their source must not be what is evaluated.
  Function.prototype.toString = () => 'rewritten';
  let outcome: unknown;
  try {
    outcome = (await load<{ attach(options: object): { id: number } }>(url)).attach({ timeout }).id;
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    outcome = { code, message };
  }
  const shapes = messages.map((message) => Object.keys(message as object));
  return { outcome, calls, expressions, shapes, left: Object.getOwnPropertySymbols(threads).map(String) };
};

type Recorded = Awaited<ReturnType<typeof recorded>>;

const idInMain = ({ threads, AREA }: Tools): number => {
  const value = threads[AREA] as { buffer: SharedArrayBuffer };
  return new Uint32Array(value.buffer ?? value)[4] as number;
};

describe.each([
  { backend: 'wasm', env: { COEXIST_NO_WASM: '0' } },
  { backend: 'twin', env: { COEXIST_NO_WASM: '1' } },
])('$backend', ({ env }) => {
  test('evaluates one constant expression, never touches the debugger, disconnects, and gets { area }', async () => {
    const script = async (tools: Tools, { recorded, idInMain }: { recorded: string; idInMain: string }) => {
      const step = { toString: () => recorded } as never;
      const args = { url: tools.urls.a, timeout: 10_000 };
      const workers = [await tools.actor(), await tools.actor()];
      const outcomes: Recorded[] = [];
      for (const worker of workers) outcomes.push((await worker.run(step, args)) as never);
      const id = process.getBuiltinModule('node:vm').runInThisContext(`(${idInMain})`)(tools);
      for (const worker of workers) await worker.terminate();
      return { outcomes, id };
    };
    const { result, stderr } = await inProcess(script, {
      env,
      args: { recorded: String(recorded), idInMain: String(idInMain) },
    });
    const constants = new Set<string>();
    for (const { outcome, calls, expressions, shapes } of result.outcomes) {
      expect(outcome).toBe(result.id);
      expect(calls).toEqual(['connectToMainThread', 'Runtime.evaluate', 'disconnect']);
      expect(shapes).toEqual([['area']]);
      constants.add((expressions[0] as string).replace(/\("[^"]*"\)$/, ''));
      expect(expressions[0]).toMatch(/\("coexist\.area\.v1\.reply\.[\w.]+"\)$/);
    }
    expect(constants.size).toBe(1);
    expect(stderr).not.toContain('ebugger');
  });

  test.each([
    {
      name: 'main’s settings are invalid',
      main: { COEXIST_SLOTS: '0' },
      args: {},
      calls: ['connectToMainThread', 'Runtime.evaluate', 'disconnect'],
      shapes: [['error']],
      code: 'COEXIST_EINVAL',
    },
    {
      name: 'main does not answer in time',
      main: {},
      args: { deaf: true, timeout: 50 },
      calls: ['connectToMainThread', 'Runtime.evaluate', 'disconnect'],
      shapes: [],
      code: 'COEXIST_ERENDEZVOUS',
    },
    {
      name: 'the inspector refuses',
      main: {},
      args: { mute: true },
      calls: ['connectToMainThread', 'Runtime.evaluate', 'disconnect'],
      shapes: [],
      code: 'COEXIST_ERENDEZVOUS',
    },
    {
      name: 'it is switched off in the worker’s environment',
      main: {},
      worker: { COEXIST_NO_INSPECTOR: '1' },
      args: {},
      calls: [],
      shapes: [],
      code: 'COEXIST_ERENDEZVOUS',
    },
  ])('where $name: an error, disconnected, nothing anchored', async ({ main, worker, args, calls, shapes, code }) => {
    const { result } = await inProcess(
      async ({ actor, urls }, { recorded, args, worker }) => {
        const thread = await actor({ env: { ...process.env, ...worker } });
        const outcome = await thread.run({ toString: () => recorded } as never, {
          url: urls.a,
          timeout: 10_000,
          ...args,
        });
        await thread.terminate();
        return outcome;
      },
      { env: { ...env, ...main } as Record<string, string>, args: { recorded: String(recorded), args, worker } },
    );
    expect(result).toMatchObject({ outcome: { code }, calls, shapes, left: [] });
  });

  test('where creation in main throws something else: COEXIST_ERENDEZVOUS says what', async () => {
    const { result } = await inProcess(
      async ({ actor, urls }, recorded) => {
        const thread = await actor();
        Reflect.defineProperty = () => {
          throw new TypeError('main is broken');
        };
        const outcome = await thread.run({ toString: () => recorded } as never, { url: urls.a, timeout: 10_000 });
        await thread.terminate();
        return outcome;
      },
      { env, args: String(recorded) },
    );
    expect(result).toMatchObject({
      outcome: { code: 'COEXIST_ERENDEZVOUS', message: expect.stringContaining('main is broken') },
      calls: ['connectToMainThread', 'Runtime.evaluate', 'disconnect'],
      shapes: [['error']],
      left: [],
    });
  });

  test.each(['idle', 'busy', 'blocked'])(
    'reaches a main thread that is %s and never loaded the library',
    async (state) => {
      const { result } = await inProcess(
        async ({ actor, urls, threads, AREA }, state) => {
          const worker = await actor();
          const flag = new Int32Array(new SharedArrayBuffer(4));
          const answer = worker.run(
            async ({ load }, { url, flag }) => {
              const { id } = (await load(url)).attach({ timeout: 10_000 });
              Atomics.store(flag, 0, 1);
              Atomics.notify(flag, 0);
              return id;
            },
            { url: urls.a, flag },
          );
          const deadline = Date.now() + 10_000;
          if (state === 'busy') while (Atomics.load(flag, 0) === 0 && Date.now() < deadline);
          if (state === 'blocked') Atomics.wait(flag, 0, 0, 10_000);
          if (state !== 'idle' && Atomics.load(flag, 0) === 0) throw new Error('the bridge did not reach main');
          const id = await answer;
          const value = threads[AREA] as { buffer: SharedArrayBuffer };
          await worker.terminate();
          return new Uint32Array(value.buffer ?? value)[4] === id;
        },
        { env, args: state },
      );
      expect(result).toBe(true);
    },
  );
});
