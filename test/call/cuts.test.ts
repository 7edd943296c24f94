// A vm timeout cuts a thread that goes on living, inside a blocking call or inside a method: no cell is lost for ever, and whoever waits
// for what was cut is told.

import { attach } from 'coexist';
import { connect } from 'coexist/call';
import { beforeAll, describe, expect, test } from 'vitest';
import { Actor, until } from '../support/actor.js';
import { type ActorMethods, callIn, Gate, serveIn, startServer } from '../support/call-actors.js';
import { copyUrl } from '../support/copies.js';

beforeAll(() => {
  attach();
});

/** Calls from an actor, blocking, and is cut after so many ms; whether it was. */
function cutCall(actor: Actor, name: string, method: string, ms: number): Promise<boolean> {
  return actor.run(
    async ({ load, state }, { url, name, method, ms }) => {
      const { connect } = await load(url);
      const vm = process.getBuiltinModule('node:vm');
      state['client'] ??= connect(name);
      const client = state['client'] as { callSync(method: string): unknown };
      const call = (): unknown => client.callSync(method);
      try {
        vm.runInNewContext('call()', { call }, { timeout: ms });
        return false;
      } catch (error) {
        return (error as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
      }
    },
    { url: copyUrl('a', 'core.js'), name, method, ms },
  );
}

describe('a blocking call that is cut', () => {
  test('while its method runs gives its cell back when that is done', async () => {
    const gate = new Gate();
    const server = await startServer({ name: 'cut, taken', gate, options: { cells: 2 } });
    const caller = await Actor.start();
    const client = connect<ActorMethods>('cut, taken', { timeout: 20_000 });
    expect(await cutCall(caller, 'cut, taken', 'hold', 800)).toBe(true);
    expect(gate.begun).toBe(1);
    expect(client.status().cells.free).toBe(1);
    gate.open();
    await until('the cell is free', () => client.status().cells.free === 2);
    expect(await callIn(caller, { name: 'cut, taken', form: 'sync', method: 'thread' })).toEqual({
      value: server.worker.threadId,
    });
    client.close();
    await Promise.all([server.terminate(), caller.terminate()]);
  });

  test('while its request lies there takes it back', async () => {
    const gate = new Gate();
    const server = await startServer({ name: 'cut, request', gate, options: { cells: 2 } });
    const caller = await Actor.start();
    const client = connect<ActorMethods>('cut, request', { timeout: 20_000 });
    const held = client.call('hold');
    await gate.reached();
    expect(await cutCall(caller, 'cut, request', 'hold', 100)).toBe(true);
    await until('the cell is free', () => client.status().cells.free === 1);
    gate.open();
    expect(await held).toBe('held');
    expect(gate.begun).toBe(1);
    client.close();
    await Promise.all([server.terminate(), caller.terminate()]);
  });

  test('inside a method that goes on: the calls around it stay what they are', async () => {
    const gate = new Gate();
    const far = await startServer({ name: 'cut, far', gate });
    const near = await Actor.start();
    await serveIn(near, { name: 'cut, near', gate });
    await near.run(
      async ({ load, state }, { url }) => {
        const { connect, serve } = await load(url);
        const vm = process.getBuiltinModule('node:vm');
        const far = connect('cut, far');
        const hold = (): unknown => far.callSync('hold');
        state['cutting'] = serve('cutting', {
          attempt() {
            try {
              vm.runInNewContext('hold()', { hold }, { timeout: 100 });
            } catch (error) {
              return (error as { code?: string }).code;
            }
            return 'not cut';
          },
        });
      },
      { url: copyUrl('a', 'core.js') },
    );
    const client = connect<{ attempt(): string }>('cutting', { timeout: 20_000 });
    expect(client.callSync('attempt')).toBe('ERR_SCRIPT_EXECUTION_TIMEOUT');
    gate.open();
    const held = connect<ActorMethods>('cut, far', { timeout: 20_000 });
    await until('the cell is free', () => held.status().cells.free === 16);
    expect(client.status().cells.free).toBe(16);
    client.close();
    held.close();
    await Promise.all([far.terminate(), near.terminate()]);
  });
});

describe('a method that is cut', () => {
  test('in run(): its caller is told when the event loop turns, and the server goes on', async () => {
    const gate = new Gate();
    const server = await startServer({ name: 'cut, method', gate });
    const client = connect<ActorMethods>('cut, method', { timeout: 20_000 });
    const cut = server.run(
      ({ state }, { words }) => {
        const vm = process.getBuiltinModule('node:vm');
        const run = (): unknown => (state['server'] as { run(): number }).run();
        Atomics.add(words, 3, 1);
        try {
          vm.runInNewContext('run()', { run }, { timeout: 1500 });
        } catch (error) {
          return (error as { code?: string }).code;
        }
        return 'not cut';
      },
      { words: gate.words },
    );
    await until('run() has begun', () => Atomics.load(gate.words, 3) === 1);
    const call = client.call('hold');
    await expect(call).rejects.toMatchObject({ code: 'COEXIST_EABORTED', message: expect.stringContaining('"hold"') });
    expect(await cut).toBe('ERR_SCRIPT_EXECUTION_TIMEOUT');
    expect(gate.begun).toBe(1);
    expect(client.callSync('add', 1, 2)).toBe(3);
    expect(client.status().cells.free).toBe(16);
    client.close();
    await server.terminate();
  });
});
