// Whatever becomes of the bridge, its session ends: a session left open would hold the process at its exit, printing
// "Waiting for the debugger to disconnect...". That the process ends by itself is asserted by the support code.

import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { program } from '../support/program.js';

/** Files that say that main has entered a native call, which nothing interrupts, and that it may leave it. */
const entered = join(tmpdir(), `coexist-bridge-ends-${process.pid}-entered`);
const left = join(tmpdir(), `coexist-bridge-ends-${process.pid}-left`);
afterEach(() => {
  for (const file of [entered, left]) rmSync(file, { force: true });
});

test('after success, while the worker goes on', async () => {
  const { result, stderr } = await program(async ({ spawn }) => {
    // The worker outlives the answer by its own timer: main ends first, by an exit, which waits for open sessions.
    const orphan = spawn(async ({ attach }) => {
      setInterval(() => {}, 1000);
      return attach();
    });
    const outcome = await orphan.result;
    setImmediate(() => process.exit(0));
    return outcome;
  });
  expect(result.code).toBe('');
  expect(stderr).toBe('');
});

test('after main answered with an error', async () => {
  const { result, stderr } = await program(({ spawn }) => spawn(({ attach }) => attach()).result, {
    env: { COEXIST_BLOCK: '4097' },
  });
  expect(result.code).toBe('COEXIST_EINVAL');
  expect(stderr).toBe('');
});

test('after main did not answer in time', async () => {
  const { result, stderr } = await program(
    async ({ load, spawn, until, word }, { entered, left }) => {
      const { execFileSync } = await load<typeof import('node:child_process')>('node:child_process');
      const loaded = word();
      const orphan = spawn(
        async ({ attach, load, sleep, urls }, { loaded, entered, left }) => {
          await load(urls.a);
          const { existsSync, writeFileSync } = await load<typeof import('node:fs')>('node:fs');
          Atomics.store(loaded, 0, 1);
          for (let tries = 0; !existsSync(entered) && tries < 10_000; tries++) await sleep(1);
          const first = await attach('a', { timeout: 100 });
          writeFileSync(left, '');
          return { first, second: await attach('a') };
        },
        { loaded, entered, left },
      );
      await until(loaded);
      const script = 'touch "$0"; until [ -e "$1" ]; do sleep 0.02; done';
      execFileSync('sh', ['-c', script, entered, left], { timeout: 15_000 });
      return orphan.result;
    },
    { args: { entered, left } },
  );
  expect(result.first).toMatchObject({ id: 0, code: 'COEXIST_ERENDEZVOUS' });
  expect(result.first.message).toContain('the main thread did not answer within 100 ms');
  expect(result.second.code).toBe('');
  expect(stderr).toBe('');
});

test('after the worker was terminated as it asked', async () => {
  const { result, stderr } = await program(
    async ({ load, spawn }, left) => {
      const { execFileSync } = await load<typeof import('node:child_process')>('node:child_process');
      const orphan = spawn(async ({ attach, load, urls }, left) => {
        await load(urls.a);
        const { writeFileSync } = await load<typeof import('node:fs')>('node:fs');
        writeFileSync(left, '');
        return attach();
      }, left);
      const script = 'until [ -e "$0" ]; do sleep 0.02; done';
      execFileSync('sh', ['-c', script, left], { timeout: 15_000 });
      await orphan.worker.terminate();
      return spawn(({ attach }) => attach()).result;
    },
    { args: left },
  );
  expect(result.code).toBe('');
  expect(stderr).toBe('');
});
