// Clause 9: who announces an area, who answers, and the sticky conflict word. The test's main thread opens the channel by hand
// and plays the foreign thread.

import { describe, expect, test } from 'vitest';
import { inProcess } from '../support/own-process.js';

describe.each([
  { backend: 'wasm', env: { COEXIST_NO_WASM: '0' } },
  { backend: 'twin', env: { COEXIST_NO_WASM: '1' } },
])('$backend', ({ env }) => {
  test('the creator announces its id once, never the memory; who inherited it is silent', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, actor, until }) => {
        const heard: unknown[] = [];
        const channel = new threads.BroadcastChannel('coexist.area.v1');
        channel.onmessage = (event) => void heard.push((event as { data: unknown }).data);
        const { id } = (await load(urls.a)).attach();
        (await load(urls.b)).attach();
        const worker = await actor();
        await worker.run(async ({ load }, url) => void (await load(url)).attach(), urls.a);
        const marker = new threads.BroadcastChannel('coexist.area.v1');
        marker.postMessage('end');
        await until(() => heard.includes('end'));
        await worker.terminate();
        channel.close();
        marker.close();
        return { heard, id };
      },
      { env },
    );
    expect(result.heard).toEqual([{ areaId: result.id }, 'end']);
  });

  test('so does each thread that came through the bridge, and main for whom the bridge created', async () => {
    const { result } = await inProcess(
      async ({ urls, threads, actor, until }) => {
        const heard: { areaId?: number }[] = [];
        const channel = new threads.BroadcastChannel('coexist.area.v1');
        channel.onmessage = (event) => void heard.push((event as { data: { areaId?: number } }).data);
        const workers = [await actor(), await actor()];
        let id = 0;
        for (const worker of workers)
          id = await worker.run(async ({ load }, url) => (await load(url)).attach().id, urls.a);
        await until(() => heard.length >= 3);
        // All three listen: each answers a foreign id once.
        heard.length = 0;
        channel.postMessage({ areaId: 5 });
        channel.postMessage({ areaId: 5 });
        channel.postMessage({ areaId: 6 });
        await until(() => heard.length >= 6);
        for (const worker of workers) await worker.terminate();
        channel.close();
        return { heard, id };
      },
      { env },
    );
    expect(result.heard).toEqual(Array(6).fill({ areaId: result.id }));
  });

  test('a foreign id: the word is set once and sticks, each id is answered once, one warning names both ids and the remedy', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, warnings, until }) => {
        const area = (await load(urls.a)).attach();
        (await load(urls.b)).attach();
        const heard: { areaId?: number }[] = [];
        const channel = new threads.BroadcastChannel('coexist.area.v1');
        channel.onmessage = (event) => void heard.push((event as { data: { areaId?: number } }).data);
        // None of these is the id of another area.
        for (const nonsense of [
          { areaId: area.id },
          { areaId: 0 },
          { areaId: 1.5 },
          { areaId: -1 },
          { areaId: '7' },
          null,
          'x',
        ]) {
          channel.postMessage(nonsense);
        }
        for (const areaId of [0xabc, 0xabc, 0xdef, 0xabc, 0xdef]) channel.postMessage({ areaId });
        await until(() => heard.length >= 2 && warnings.length >= 1);
        const conflicts = [area.inspect().conflict];
        channel.postMessage({ areaId: 0x123 });
        await until(() => heard.length >= 3);
        conflicts.push(area.inspect().conflict);
        channel.close();
        return { heard, conflicts, conflicted: area.inspect().conflicted, id: area.id, warnings };
      },
      { env },
    );
    const { id } = result;
    expect(result.heard).toEqual([{ areaId: id }, { areaId: id }, { areaId: id }]);
    expect(result).toMatchObject({ conflicts: [0xabc, 0xabc], conflicted: true });
    expect(result.warnings).toHaveLength(1);
    const [warning] = result.warnings;
    expect(warning?.code).toBe('COEXIST_ECONFLICT');
    expect(warning?.message).toContain(`0x${id.toString(16).padStart(8, '0')}`);
    expect(warning?.message).toContain('0x00000abc');
    expect(warning?.message).toContain('node --import coexist/preload');
  });

  test('a word that is set already is neither changed nor warned about', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, warnings, until }) => {
        const area = (await load(urls.a)).attach();
        Atomics.store(new Uint32Array(area.buffer), 5, 99);
        const heard: unknown[] = [];
        const channel = new threads.BroadcastChannel('coexist.area.v1');
        channel.onmessage = (event) => void heard.push((event as { data: unknown }).data);
        channel.postMessage({ areaId: 3 });
        await until(() => heard.length > 0);
        channel.close();
        return { conflict: area.inspect().conflict, warnings: warnings.length, answered: heard.length };
      },
      { env },
    );
    expect(result).toEqual({ conflict: 99, warnings: 0, answered: 1 });
  });

  test('listening keeps no thread alive', async () => {
    const { result, exitCode } = await inProcess(
      async ({ urls, actor }) => {
        const worker = await actor();
        await worker.run(async ({ load }, url) => void (await load(url)).attach(), urls.a);
        const exit = new Promise<number>((resolve) => worker.worker.once('exit', resolve));
        await worker.run(() => void process.getBuiltinModule('node:worker_threads').parentPort?.unref());
        return exit;
      },
      { env },
    );
    expect([result, exitCode]).toEqual([0, 0]);
  });
});
