// Clause 6: who creates, and in which order: the whole header before the anchor, the anchor before environment data, and a
// candidate that lost is dropped. The order is observed from inside Reflect.defineProperty.

import { describe, expect, test } from 'vitest';
import { inProcess } from '../support/own-process.js';

describe.each([
  { backend: 'wasm', env: { COEXIST_NO_WASM: '0' } },
  { backend: 'twin', env: { COEXIST_NO_WASM: '1' } },
])('$backend', ({ env }) => {
  test.each(['attach', 'bridge'])('by %s: header, anchor, anchor read again, environment data', async (by) => {
    const { result } = await inProcess(
      async ({ load, urls, threads, AREA, actor }, by) => {
        const worker = await actor();
        const events: unknown[] = [];
        const define = Reflect.defineProperty;
        Reflect.defineProperty = (target, key, attributes) => {
          if (key === AREA) {
            const u32 = new Uint32Array(attributes.value.buffer ?? attributes.value);
            events.push({
              magic: u32[0],
              major: u32[1],
              feature: u32[2],
              state: u32[3],
              named: u32[4] !== 0,
              parts: u32.slice(6, 9).every((n) => n > 0) && u32.slice(10, 15).every((n) => n > 0),
              used: [u32[9], u32[18], u32[19], u32[20]],
              gate: u32[1023],
              inherited: threads.getEnvironmentData('coexist.area.v1') !== undefined,
            });
          }
          return define(target, key, attributes);
        };
        const set = threads.setEnvironmentData;
        threads.setEnvironmentData = (key, value) => {
          events.push(['environment data', key, threads[AREA] !== undefined && threads[AREA] === value]);
          set(key, value);
        };
        if (by === 'attach') (await load(urls.a)).attach();
        else await worker.run(async ({ load }, url) => (await load(url)).attach().id, urls.a);
        await worker.terminate();
        return events;
      },
      { env, args: by },
    );
    expect(result).toEqual([
      {
        magic: 0x51455352,
        major: 1,
        feature: 64,
        state: 2,
        named: true,
        parts: true,
        used: [0, 0, 0, 0],
        gate: 84,
        inherited: false,
      },
      ['environment data', 'coexist.area.v1', true],
    ]);
  });

  test('a candidate that lost is dropped: the winner is attached and passed on, nobody hears of the loser', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, AREA, until }) => {
        const lib = await load(urls.a);
        const winner = lib.createArea({ slots: 2, blockBytes: 4096, heapBytes: 0 });
        const announced: number[] = [];
        const channel = new threads.BroadcastChannel('coexist.area.v1');
        channel.onmessage = (event) => void announced.push((event as { data: { areaId: number } }).data.areaId);
        const define = Reflect.defineProperty;
        let lost = 0;
        Reflect.defineProperty = (target, key, attributes) => {
          if (key === AREA && lost === 0) {
            lost = new Uint32Array(attributes.value.buffer ?? attributes.value)[4] as number;
            define(target, key, { value: winner.memory ?? winner.buffer });
          }
          return define(target, key, attributes);
        };
        const area = lib.attach();
        const marker = new threads.BroadcastChannel('coexist.area.v1');
        marker.postMessage({ areaId: 1 });
        await until(() => announced.includes(1));
        channel.close();
        marker.close();
        const inherited = threads.getEnvironmentData('coexist.area.v1') === (winner.memory ?? winner.buffer);
        return {
          raced: lost !== 0 && lost !== winner.id,
          joined: area.id === winner.id,
          inherited,
          heard: announced.includes(lost),
        };
      },
      { env },
    );
    expect(result).toEqual({ raced: true, joined: true, inherited: true, heard: false });
  });

  test('what is read again is checked too: a winner that is no area is COEXIST_EABI, and passed on to nobody', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, AREA, failure }) => {
        const lib = await load(urls.a);
        const define = Reflect.defineProperty;
        Reflect.defineProperty = (target, key, attributes) => {
          if (key === AREA) define(target, key, { value: new SharedArrayBuffer(65536) });
          return define(target, key, attributes);
        };
        const error = await failure(() => lib.attach());
        return {
          code: error?.code,
          found: error?.found,
          attached: lib.probe().attached,
          inherited: threads.getEnvironmentData('coexist.area.v1'),
        };
      },
      { env },
    );
    expect(result).toEqual({ code: 'COEXIST_EABI', found: 0, attached: false, inherited: undefined });
  });

  test('a worker never creates: with main not answering it has nothing, and main creates later', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, AREA, actor }) => {
        const worker = await actor({ env: { ...process.env, COEXIST_NO_INSPECTOR: '1' } });
        const step = () =>
          worker.run(async ({ load }, url) => {
            const threads = process.getBuiltinModule('node:worker_threads');
            let code = '';
            try {
              (await load(url)).register();
            } catch (error) {
              code = (error as { code: string }).code;
            }
            return [code, Object.getOwnPropertySymbols(threads).length];
          }, urls.a);
        const first = await step();
        const nobody = threads[AREA] === undefined;
        const lib = await load(urls.a);
        const { id } = lib.attach();
        const again = await step();
        const joined = await worker.run(async ({ load }, url) => (await (await load(url)).attachAsync()).id, urls.a);
        await worker.terminate();
        return { first, nobody, again, joined: joined === id };
      },
      { env },
    );
    const nothing = ['COEXIST_ERENDEZVOUS', 0];
    expect(result).toEqual({ first: nothing, nobody: true, again: nothing, joined: true });
  });
});
