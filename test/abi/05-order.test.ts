// Clause 5: where a thread looks for the area, in order, and that a value which is found and fails the check is an error, never
// a reason to look further.

import { describe, expect, test } from 'vitest';
import { inProcess, type Tools } from '../support/own-process.js';

describe.each([
  { backend: 'wasm', env: { COEXIST_NO_WASM: '0' } },
  { backend: 'twin', env: { COEXIST_NO_WASM: '1' } },
])('$backend', ({ env }) => {
  test('main: its anchor before environment data, environment data before creation', async () => {
    const script = async (
      { load, urls, threads, AREA }: Tools,
      { anchor, inherited }: { anchor: boolean; inherited: boolean | 'no area' },
    ) => {
      const lib = await load(urls.a);
      const make = () => lib.createArea({ slots: 2, blockBytes: 4096, heapBytes: 0 });
      const [first, second] = [make(), make()];
      if (anchor) Reflect.defineProperty(threads, AREA, { value: first.memory ?? first.buffer });
      const data = inherited === 'no area' ? inherited : (second.memory ?? second.buffer);
      if (inherited) threads.setEnvironmentData('coexist.area.v1', data as never);
      const via = lib.probe().via;
      const { id } = lib.attach();
      return { via, found: id === first.id ? 'anchor' : id === second.id ? 'inherited' : 'own' };
    };
    const cases = [
      [
        { anchor: true, inherited: true },
        { via: 'anchor', found: 'anchor' },
      ],
      [
        { anchor: true, inherited: 'no area' },
        { via: 'anchor', found: 'anchor' },
      ],
      [
        { anchor: true, inherited: false },
        { via: 'anchor', found: 'anchor' },
      ],
      [
        { anchor: false, inherited: true },
        { via: 'environment', found: 'inherited' },
      ],
      [
        { anchor: false, inherited: false },
        { via: 'create', found: 'own' },
      ],
    ] as const;
    const results = await Promise.all(cases.map(([args]) => inProcess(script, { env, args })));
    expect(results.map(({ result }) => result)).toEqual(cases.map(([, expected]) => expected));
  });

  test('worker: environment data, else the bridge, else it asks, else COEXIST_ERENDEZVOUS', async () => {
    const { result } = await inProcess(
      async ({ actor, urls, threads, AREA, load, until }) => {
        const off = { env: { ...process.env, COEXIST_NO_INSPECTOR: '1' } };
        const [bridging, refused, asking, beforehand] = [
          await actor(),
          await actor(off),
          await actor(off),
          await actor(off),
        ];
        const via = (worker: typeof bridging) => worker.run(async ({ load }, url) => (await load(url)).probe(), urls.a);
        const probes = [await via(bridging), await via(refused)].map(({ via, synchronous }) => ({ via, synchronous }));
        const attempt = (worker: typeof bridging, method: 'attach' | 'attachAsync', timeout: number) =>
          worker.run(
            async ({ load }, { url, method, timeout }) => {
              try {
                return (await (await load(url))[method]({ timeout })).id;
              } catch (error) {
                const { code, message } = error as { code: string; message: string };
                const threads = process.getBuiltinModule('node:worker_threads');
                const left = [
                  Object.getOwnPropertySymbols(threads).length,
                  threads.getEnvironmentData('coexist.area.v1') === undefined,
                ];
                return { code, advice: message.includes('node --import coexist/preload'), left };
              }
            },
            { url: urls.a, method, timeout },
          );
        const failures = [await attempt(refused, 'attach', 5000), await attempt(refused, 'attachAsync', 150)];
        const untouched = threads[AREA] === undefined;
        const answer = attempt(asking, 'attachAsync', 10_000);
        const bridged = await attempt(bridging, 'attach', 10_000);
        const value = threads[AREA] as { buffer: SharedArrayBuffer };
        await until(() => threads[AREA] !== undefined);
        const id = new Uint32Array(value.buffer ?? value)[4];
        const asked = await answer;
        const late = await actor(off);
        const inherited = [(await via(late)).via, (await attempt(late, 'attach', 0)) === id];
        const lib = await load(urls.b);
        const main = lib.attach().id === id;
        for (const worker of [bridging, refused, asking, beforehand, late]) await worker.terminate();
        return { probes, failures, untouched, bridged: bridged === id, asked: asked === id, inherited, main };
      },
      { env },
    );
    const nowhere = { code: 'COEXIST_ERENDEZVOUS', advice: true, left: [0, true] };
    expect(result).toEqual({
      probes: [
        { via: 'bridge', synchronous: true },
        { via: 'announcement', synchronous: false },
      ],
      failures: [nowhere, nowhere],
      untouched: true,
      bridged: true,
      asked: true,
      inherited: ['environment', true],
      main: true,
    });
  });

  test('a value that fails the check is an error at the anchor, in environment data, by bridge and by answer', async () => {
    const atMain = async (
      { load, urls, threads, AREA, failure }: Tools,
      { where, value }: { where: 'anchor' | 'inherited'; value: unknown },
    ) => {
      const lib = await load(urls.a);
      if (where === 'anchor') Reflect.defineProperty(threads, AREA, { value });
      else threads.setEnvironmentData('coexist.area.v1', value as never);
      const codes = [
        await failure(() => lib.attach()),
        await failure(() => lib.attachAsync()),
        await failure(() => lib.register()),
      ];
      const left = [threads[AREA] === value, threads.getEnvironmentData('coexist.area.v1') === value];
      return { codes: codes.map((error) => error?.code), left, attached: lib.probe().attached };
    };
    const values = ['garbage', 0, new Uint8Array(8192)];
    for (const where of ['anchor', 'inherited'] as const) {
      const outcomes = await Promise.all(values.map((value) => inProcess(atMain, { env, args: { where, value } })));
      for (const { result } of outcomes) {
        expect(result).toEqual({
          codes: ['COEXIST_EABI', 'COEXIST_EABI', 'COEXIST_EABI'],
          left: [where === 'anchor', where === 'inherited'],
          attached: false,
        });
      }
    }

    const { result } = await inProcess(
      async ({ actor, urls, threads, AREA }) => {
        const bridging = await actor();
        const asking = await actor({ env: { ...process.env, COEXIST_NO_INSPECTOR: '1' } });
        // No area: only main's property is there, so the bridge meets it and no worker inherits it.
        const value = new SharedArrayBuffer(65536);
        Reflect.defineProperty(threads, AREA, { value });
        const attach = (worker: typeof bridging) =>
          worker.run(async ({ load }, url) => {
            try {
              return String((await (await load(url)).attachAsync({ timeout: 10_000 })).id);
            } catch (error) {
              const threads = process.getBuiltinModule('node:worker_threads');
              return [(error as { code: string }).code, Object.getOwnPropertySymbols(threads).length];
            }
          }, urls.a);
        const bridged = await attach(bridging);
        const channel = new threads.BroadcastChannel('coexist.area.v1');
        channel.onmessage = (event) => {
          const { ask } = (event as { data: { ask?: string } }).data;
          if (ask === undefined) return;
          const reply = new threads.BroadcastChannel(ask);
          reply.postMessage(value);
          reply.close();
        };
        const asked = await attach(asking);
        channel.close();
        await bridging.terminate();
        await asking.terminate();
        return { bridged, asked };
      },
      { env },
    );
    expect(result).toEqual({ bridged: ['COEXIST_EABI', 0], asked: ['COEXIST_EABI', 0] });
  });
});
