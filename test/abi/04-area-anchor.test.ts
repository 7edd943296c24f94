// Clause 4: the area anchor, a property of the exports object of node:worker_threads that the first definer wins. Each test has
// a process of its own, with the memory in wasm and as a plain SharedArrayBuffer.

import { describe, expect, test } from 'vitest';
import { inProcess } from '../support/own-process.js';

describe.each([
  { backend: 'wasm', env: { COEXIST_NO_WASM: '0' }, brand: '[object WebAssembly.Memory]' },
  { backend: 'twin', env: { COEXIST_NO_WASM: '1' }, brand: '[object SharedArrayBuffer]' },
])('$backend', ({ env, brand }) => {
  test('is one non-writable, hidden property, the same from everywhere in the thread', async () => {
    const { result } = await inProcess(
      async ({ load, urls, threads, AREA }) => {
        const area = (await load(urls.a)).attach();
        const other = (await load(urls.b)).attach();
        const descriptor = Object.getOwnPropertyDescriptor(threads, AREA);
        const value = descriptor?.value;
        const vm = process.getBuiltinModule('node:vm');
        const require = process.getBuiltinModule('node:module').createRequire(urls.a);
        const fromContext = vm.runInNewContext("threads[Symbol.for('coexist.area.v1')]", { threads });
        const fromEsm = (await load<{ default: Record<symbol, unknown> }>('node:worker_threads')).default[AREA];
        const deletable = Reflect.deleteProperty(threads, AREA);
        const settable = Reflect.set(threads, AREA, 1);
        return {
          flags: [descriptor?.writable, descriptor?.configurable, descriptor?.enumerable],
          listed:
            Object.keys(threads).length === Reflect.ownKeys(threads).filter((key) => typeof key === 'string').length,
          same: [
            require('node:worker_threads')[AREA] === value,
            fromContext === value,
            fromEsm === value,
            area.buffer === (value.buffer ?? value),
            other.buffer === area.buffer,
            other.id === area.id,
          ],
          deletable,
          settable,
          brand: Object.prototype.toString.call(value),
        };
      },
      { env },
    );
    expect(result).toEqual({
      flags: [false, false, false],
      listed: true,
      same: [true, true, true, true, true, true],
      deletable: false,
      settable: false,
      brand,
    });
  });

  test.each(['SharedArrayBuffer', 'WebAssembly.Memory'])(
    'the first definer wins, with a %s of another realm: by its header, never by instanceof',
    async (kind) => {
      const { result } = await inProcess(
        async ({ load, urls, threads, AREA }, kind) => {
          const lib = await load(urls.a);
          const model = new Uint8Array(lib.createArea({ slots: 3, blockBytes: 4096, heapBytes: 0 }).buffer);
          const pages = model.length / 65536;
          const create =
            kind === 'SharedArrayBuffer'
              ? `new SharedArrayBuffer(${model.length})`
              : `new WebAssembly.Memory({ initial: ${pages}, maximum: ${pages}, shared: true })`;
          const value = process.getBuiltinModule('node:vm').runInNewContext(create);
          new Uint8Array(value.buffer ?? value).set(model);
          Reflect.defineProperty(threads, AREA, { value });
          const area = lib.attach();
          const slot = lib.register().slot;
          return {
            joined: area.buffer === (value.buffer ?? value),
            capacity: area.geometry.slotCapacity,
            slot,
            passedOn: threads.getEnvironmentData('coexist.area.v1') === value,
          };
        },
        { env, args: kind },
      );
      expect(result).toEqual({ joined: true, capacity: 3, slot: 0, passedOn: true });
    },
  );

  test.each(['main', 'worker'])(
    'where it cannot be defined in the %s thread: COEXIST_EANCHOR, nothing attached',
    async (where) => {
      const { result } = await inProcess(
        async ({ load, urls, threads, failure, actor }, where) => {
          const attempt = async (main: boolean) => {
            const lib = await load(urls.a);
            Object.preventExtensions(threads);
            const inherited = threads.getEnvironmentData('coexist.area.v1');
            const errors = [
              await failure(() => lib.attach()),
              await failure(() => lib.attachAsync()),
              await failure(() => lib.register()),
            ];
            return {
              codes: errors.map((error) => error?.code),
              attached: lib.probe().attached,
              symbols: Object.getOwnPropertySymbols(threads).map(String),
              untouched:
                threads.getEnvironmentData('coexist.area.v1') === inherited && (inherited === undefined) === main,
            };
          };
          if (where === 'main') return attempt(true);
          (await load(urls.b)).attach();
          const worker = await actor();
          const outcome = await worker.run(async ({ load }, url) => {
            const threads = process.getBuiltinModule('node:worker_threads');
            const lib = await load(url);
            Object.preventExtensions(threads);
            const inherited = threads.getEnvironmentData('coexist.area.v1');
            const codes: unknown[] = [];
            for (const step of [() => lib.attach(), () => lib.attachAsync(), () => lib.register()]) {
              try {
                await step();
                codes.push(undefined);
              } catch (error) {
                codes.push((error as { code: string }).code);
              }
            }
            return {
              codes,
              attached: lib.probe().attached,
              symbols: Object.getOwnPropertySymbols(threads).map(String),
              untouched: threads.getEnvironmentData('coexist.area.v1') === inherited && inherited !== undefined,
            };
          }, urls.a);
          await worker.terminate();
          return outcome;
        },
        { env, args: where },
      );
      expect(result).toEqual({
        codes: ['COEXIST_EANCHOR', 'COEXIST_EANCHOR', 'COEXIST_EANCHOR'],
        attached: false,
        symbols: [],
        untouched: true,
      });
    },
  );

  test('every thread has its own, of the same memory', async () => {
    const { result } = await inProcess(
      async ({ load, urls, actor }) => {
        const id = (await load(urls.a)).attach().id;
        const worker = await actor();
        const seen = await worker.run(async ({ load }, urls) => {
          const threads = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, unknown>;
          const before = Object.getOwnPropertySymbols(threads).length;
          const ids = [(await load(urls.a)).attach().id, (await load(urls.b)).attach().id];
          const descriptor = Object.getOwnPropertyDescriptor(threads, Symbol.for('coexist.area.v1'));
          return { before, ids, flags: [descriptor?.writable, descriptor?.configurable, descriptor?.enumerable] };
        }, urls);
        await worker.terminate();
        return { ...seen, same: seen.ids.every((seenId) => seenId === id) };
      },
      { env },
    );
    expect(result).toMatchObject({ before: 0, same: true, flags: [false, false, false] });
  });
});
