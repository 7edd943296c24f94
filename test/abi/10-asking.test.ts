// Clause 10: a waiting thread asks again and again on the announcement channel, and only the main thread answers, with the
// anchor's value.

import { describe, expect, test } from 'vitest';
import { inProcess } from '../support/own-process.js';

describe.each([
  { backend: 'wasm', env: { COEXIST_NO_WASM: '0' } },
  { backend: 'twin', env: { COEXIST_NO_WASM: '1' } },
])('$backend', ({ env }) => {
  test('asks repeatedly under one name until it is answered, then no more', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, actor, until }) => {
        const asked: string[] = [];
        const channel = new threads.BroadcastChannel('coexist.area.v1');
        channel.onmessage = (event) => {
          const { ask } = (event as { data: { ask?: string } }).data;
          if (ask !== undefined) asked.push(ask);
        };
        const worker = await actor({ env: { ...process.env, COEXIST_NO_INSPECTOR: '1' } });
        const joined = worker.run(
          async ({ load }, url) => (await (await load(url)).attachAsync({ timeout: 10_000 })).id,
          urls.a,
        );
        await until(() => asked.length >= 3);
        const names = new Set(asked);
        const { id } = (await load(urls.b)).attach();
        const same = (await joined) === id;
        const before = asked.length;
        // A thread that asked on would neither fall silent nor end by itself.
        const exit = new Promise<number>((resolve) => worker.worker.once('exit', resolve));
        await worker.run(() => void process.getBuiltinModule('node:worker_threads').parentPort?.unref());
        const exitCode = await exit;
        channel.close();
        return { names: names.size, same, exitCode, more: asked.length - before };
      },
      { env },
    );
    expect(result.names).toBe(1);
    expect(result.same).toBe(true);
    expect(result.exitCode).toBe(0);
    // What was under way when the answer came may still arrive.
    expect(result.more).toBeLessThanOrEqual(1);
  });

  test('main answers with the anchor’s value, a worker that listens does not', async () => {
    const { result } = await inProcess(
      async ({ urls, threads, actor, until, load, AREA }) => {
        // Through the bridge, so that both main and the worker listen.
        const worker = await actor();
        const id = await worker.run(async ({ load }, url) => (await load(url)).attach().id, urls.a);
        const answers: (SharedArrayBuffer | { buffer: SharedArrayBuffer })[] = [];
        const reply = new threads.BroadcastChannel('the reply');
        reply.onmessage = (event) => void answers.push((event as { data: SharedArrayBuffer }).data);
        const channel = new threads.BroadcastChannel('coexist.area.v1');
        const announced: unknown[] = [];
        channel.onmessage = (event) => void announced.push((event as { data: unknown }).data);
        channel.postMessage({ ask: 'the reply' });
        channel.postMessage({ ask: 7 });
        // Both have read the question when both have answered what came after it.
        channel.postMessage({ areaId: 8 });
        await until(() => announced.length >= 2 && answers.length >= 1);
        const marker = new threads.BroadcastChannel('the reply');
        marker.postMessage('end');
        await until(() => answers.includes('end' as never));
        const [answer] = answers;
        const value = threads[AREA];
        const brand = (it: unknown) => Object.prototype.toString.call(it);
        const opened = (await load(urls.b)).openArea(answer as never).id;
        await worker.terminate();
        for (const open of [reply, channel, marker]) open.close();
        return { count: answers.length - 1, brand: brand(answer) === brand(value), same: opened === id };
      },
      { env },
    );
    expect(result).toEqual({ count: 1, brand: true, same: true });
  });

  test('a main thread without an area does not answer, and the wait is bounded and can be aborted', async () => {
    const { result } = await inProcess(
      async ({ load, urls, actor, threads, AREA }) => {
        await load(urls.a);
        const worker = await actor({ env: { ...process.env, COEXIST_NO_INSPECTOR: '1' } });
        const outcome = await worker.run(async ({ load }, url) => {
          const lib = await load(url);
          const abort = new AbortController();
          const waits = [lib.attachAsync({ timeout: 10 }), lib.attachAsync({ timeout: 10_000, signal: abort.signal })];
          const first = await (waits[0] as Promise<unknown>).catch((error) => error.code);
          abort.abort(new Error('enough'));
          const second = await (waits[1] as Promise<unknown>).catch((error) => [error.code, error.cause.message]);
          return { first, second };
        }, urls.a);
        await worker.terminate();
        return { ...outcome, anchored: threads[AREA] !== undefined };
      },
      { env },
    );
    expect(result).toEqual({ first: 'COEXIST_ERENDEZVOUS', second: ['COEXIST_EABORTED', 'enough'], anchored: false });
  });
});
