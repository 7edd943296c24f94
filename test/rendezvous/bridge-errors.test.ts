// What goes wrong in the main thread reaches the worker as the typed error that main itself would have thrown.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test('frozen exports of node:worker_threads in main', async () => {
  const { result, stderr } = await program(async ({ attach, spawn }) => {
    Object.freeze(process.getBuiltinModule('node:worker_threads'));
    return { worker: await spawn(({ attach }) => attach()).result, main: await attach() };
  });
  expect(result.worker).toMatchObject({ id: 0, code: 'COEXIST_EANCHOR' });
  expect(result.worker.message).toContain('in the main thread');
  expect(result.main).toMatchObject({ id: 0, code: 'COEXIST_EANCHOR' });
  expect(stderr).toBe('');
});

test('frozen exports in the worker only', async () => {
  const { result, stderr } = await program(async ({ attach, spawn }) => {
    const worker = spawn(({ attach }) => {
      Object.freeze(process.getBuiltinModule('node:worker_threads'));
      return attach();
    });
    return { worker: await worker.result, main: await attach() };
  });
  expect(result.worker).toMatchObject({ id: 0, code: 'COEXIST_EANCHOR' });
  expect(result.worker.message).not.toContain('in the main thread');
  expect(result.main.code).toBe('');
  expect(stderr).toBe('');
});

test.each(['0', '16385', 'many', '-1', '1.5'])('COEXIST_SLOTS=%s in main', async (slots) => {
  const { result, stderr } = await program(
    async ({ attach, spawn }) => ({ worker: await spawn(({ attach }) => attach()).result, main: await attach() }),
    { env: { COEXIST_SLOTS: slots } },
  );
  expect(result.worker).toMatchObject({ id: 0, code: 'COEXIST_EINVAL' });
  expect(result.worker.message).toContain('in the main thread');
  expect(result.worker.message).toContain('COEXIST_SLOTS');
  expect(result.main).toMatchObject({ id: 0, code: 'COEXIST_EINVAL' });
  expect(stderr).toBe('');
});

test('a value in environment data that is no area is an error, not a reason to go on', async () => {
  const { result, stderr } = await program(async ({ attach, spawn, threads }) => {
    threads.setEnvironmentData('coexist.area.v1', 'something else');
    return { worker: await spawn(({ attach }) => attach()).result, main: await attach() };
  });
  expect(result.worker).toMatchObject({ id: 0, code: 'COEXIST_EABI' });
  expect(result.main).toMatchObject({ id: 0, code: 'COEXIST_EABI' });
  expect(stderr).toBe('');
});
