// attachAsync() ends when its AbortSignal says so, and leaves nothing behind that holds the worker.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test.each([
  { name: 'without the bridge', env: { COEXIST_NO_INSPECTOR: '1' } },
  { name: 'with it', env: {} },
])('a signal that is aborted already, $name', async ({ env }) => {
  const { result, stderr } = await program(
    async ({ spawn, threads }) => {
      const orphan = spawn(({ attachAsync }) => attachAsync('a', { signal: AbortSignal.abort() }));
      const outcome = await orphan.result;
      return { outcome, exitCode: await orphan.exited, left: String(threads.getEnvironmentData('coexist.area.v1')) };
    },
    { env },
  );
  expect(result.outcome).toMatchObject({ id: 0, code: 'COEXIST_EABORTED' });
  expect(result.exitCode).toBe(0);
  expect(result.left).toBe('undefined');
  expect(stderr).toBe('');
});

test('a signal that is aborted during the wait', async () => {
  const { result, stderr } = await program(
    async ({ spawn }) => {
      const orphan = spawn(async ({ load, urls }) => {
        const { attachAsync } = await load(urls.a);
        const controller = new AbortController();
        const held = (): string[] =>
          process.getActiveResourcesInfo().filter((name) => ['Timeout', 'Immediate', 'MessagePort'].includes(name));
        const before = held();
        const attempt = attachAsync({ signal: controller.signal });
        const during = held();
        setImmediate(() => controller.abort(new Error('enough')));
        const error = await attempt.then(
          () => undefined,
          (error: NodeJS.ErrnoException) => error,
        );
        return {
          code: error?.code,
          cause: (error?.cause as Error | undefined)?.message,
          before,
          during,
          after: held(),
        };
      });
      return { ...(await orphan.result), exitCode: await orphan.exited };
    },
    { env: { COEXIST_NO_INSPECTOR: '1' } },
  );
  expect(result).toMatchObject({ code: 'COEXIST_EABORTED', cause: 'enough', exitCode: 0 });
  expect(result.during).toContain('Timeout');
  expect(result.after).toEqual(result.before);
  expect(stderr).toBe('');
});

test('a signal that is aborted after success changes nothing', async () => {
  const { result, stderr } = await program(
    ({ spawn }) =>
      spawn(async ({ attachAsync, attach, sleep }) => {
        const controller = new AbortController();
        const first = await attachAsync('a', { signal: controller.signal });
        controller.abort();
        await sleep(10);
        return { first, second: await attach() };
      }).result,
  );
  expect(result.first.code).toBe('');
  expect(result.second).toEqual(result.first);
  expect(stderr).toBe('');
});
