// A worker that nobody prepared attaches through the bridge while the main thread is idle and never loads the library.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test('the bridge reaches an idle main thread that never loads the library', async () => {
  const { result, stderr } = await program(async ({ spawn, threads }) => {
    const orphan = spawn(async ({ attach, load, urls }) => {
      const { probe } = await load(urls.a);
      const before = probe();
      return { before, outcome: await attach(), after: probe() };
    });
    const answer = await orphan.result;
    const key = Symbol.for('coexist.area.v1');
    const value = (threads as unknown as { default: Record<symbol, WebAssembly.Memory> }).default[key];
    const header = new Uint32Array((value?.buffer ?? value) as ArrayBufferLike, 0, 5);
    return { ...answer, idInMain: header[4] };
  });
  expect(result.before).toMatchObject({ attached: false, via: 'bridge', synchronous: true });
  expect(result.outcome).toEqual({ id: expect.any(Number), code: '', message: '' });
  expect(result.after).toMatchObject({ attached: true, via: 'anchor' });
  expect(result.idInMain).toBe(result.outcome.id);
  expect(stderr).toBe('');
});

test('a main thread that loads the library afterwards, and a later worker, find what the bridge made', async () => {
  const { result, stderr } = await program(async ({ attach, spawn }) => {
    const orphan = await spawn(({ attach }) => attach()).result;
    const main = await attach('b');
    const later = spawn(async ({ attach, load, urls }) => {
      const { probe } = await load(urls.a);
      return { via: probe().via, outcome: await attach() };
    });
    return { orphan, main, later: await later.result };
  });
  expect(result.orphan.code).toBe('');
  expect(result.main.id).toBe(result.orphan.id);
  expect(result.later).toEqual({ via: 'environment', outcome: result.orphan });
  expect(stderr).toBe('');
});

test('attachAsync() takes the bridge too', async () => {
  const { result, stderr } = await program(async ({ attach, spawn }) => {
    const orphan = await spawn(({ attachAsync }) => attachAsync()).result;
    return { orphan, main: await attach() };
  });
  expect(result.orphan).toEqual(result.main);
  expect(result.main.code).toBe('');
  expect(stderr).toBe('');
});
