// Clause 7: environment data carries the anchor's value to every worker started later, under a string key; every attach sets it
// again where something else stands there, and says so where that was another area.

import { describe, expect, test } from 'vitest';
import { inProcess } from '../support/own-process.js';

describe.each([
  { backend: 'wasm', env: { COEXIST_NO_WASM: '0' } },
  { backend: 'twin', env: { COEXIST_NO_WASM: '1' } },
])('$backend', ({ env }) => {
  test('the key is the string, the value the anchor’s, and workers start as before', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, AREA, actor }) => {
        const area = (await load(urls.a)).attach();
        const worker = await actor();
        const inWorker = await worker.run(async ({ load }, url) => {
          const threads = process.getBuiltinModule('node:worker_threads');
          const value = threads.getEnvironmentData('coexist.area.v1') as { buffer?: SharedArrayBuffer };
          const lib = await load(url);
          const { via } = lib.probe();
          const { id } = lib.attach();
          const anchored = (threads as unknown as Record<symbol, unknown>)[Symbol.for('coexist.area.v1')];
          return { via, id, same: anchored === value };
        }, urls.b);
        await worker.terminate();
        return {
          ...inWorker,
          id: inWorker.id === area.id,
          main: threads.getEnvironmentData('coexist.area.v1') === threads[AREA],
          symbol: threads.getEnvironmentData(AREA as never) === undefined,
        };
      },
      { env },
    );
    expect(result).toEqual({ via: 'environment', id: true, same: true, main: true, symbol: true });
  });

  test('every attach of every copy sets it again where it differs', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, AREA, warnings }) => {
        const key = 'coexist.area.v1';
        const [a, b] = [await load(urls.a), await load(urls.b)];
        const area = a.attach();
        const repaired: boolean[] = [];
        // The last is the same area as another object, where the anchor holds a wasm memory.
        for (const value of [undefined, 'junk', new SharedArrayBuffer(8192), area.buffer]) {
          for (const attach of [() => a.attach(), () => a.attachAsync(), () => b.attach(), () => b.attachAsync()]) {
            threads.setEnvironmentData(key, value as never);
            const found = await attach();
            repaired.push(threads.getEnvironmentData(key) === threads[AREA] && found.id === area.id);
          }
        }
        return { repaired, conflict: area.inspect().conflict, warnings: warnings.length };
      },
      { env },
    );
    expect(result).toEqual({ repaired: Array(16).fill(true), conflict: 0, warnings: 0 });
  });

  test('another valid area there is a conflict in both, said once for each', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, AREA, warnings, until }) => {
        const key = 'coexist.area.v1';
        const lib = await load(urls.a);
        const area = lib.attach();
        const other = lib.createArea({ slots: 1, blockBytes: 4096, heapBytes: 0 });
        for (let time = 0; time < 3; time++) {
          threads.setEnvironmentData(key, (other.memory ?? other.buffer) as never);
          lib.attach();
        }
        await until(() => warnings.length > 0);
        const hex = (id: number) => `0x${id.toString(16).padStart(8, '0')}`;
        const said = warnings.filter(({ message }) => message.includes(`${hex(area.id)} and ${hex(other.id)}`)).length;
        return {
          repaired: threads.getEnvironmentData(key) === threads[AREA],
          conflicts: [area.inspect().conflict === other.id, other.inspect().conflict === area.id],
          said,
          codes: [...new Set(warnings.map(({ code }) => code))],
        };
      },
      { env },
    );
    expect(result).toEqual({ repaired: true, conflicts: [true, true], said: 1, codes: ['COEXIST_ECONFLICT'] });
  });

  test('a worker that came through the bridge passes it on to its own workers', async () => {
    const { result } = await inProcess(
      async ({ actor, urls }) => {
        const worker = await actor();
        const ids = await worker.run(async ({ load, nest }, url) => {
          const before = process.getBuiltinModule('node:worker_threads').getEnvironmentData('coexist.area.v1');
          const lib = await load(url);
          const { id } = lib.attach();
          const nested = await nest();
          const step = async ({ load }: { load(url: string): Promise<typeof lib> }, url: string) => {
            const lib = await load(url);
            return [lib.probe().via, lib.attach().id];
          };
          const [via, nestedId] = (await nested.step(String(step), url)) as [string, number];
          await nested.terminate();
          return { before, via, same: nestedId === id };
        }, urls.a);
        await worker.terminate();
        return ids;
      },
      { env },
    );
    expect(result).toEqual({ before: undefined, via: 'environment', same: true });
  });
});
