// Attaching keeps neither the process nor a worker alive.

import { expect, test } from 'vitest';
import { copyUrl } from '../support/copies.js';
import { program, runNode } from '../support/program.js';

test('a main thread that attached and registered ends by itself', async () => {
  const { result, stderr } = await program(async ({ load, urls }) => {
    const { attach, register } = await load(urls.a);
    attach();
    register();
    return process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Timeout');
  });
  expect(result).toEqual([]);
  expect(stderr).toBe('');
});

test('workers that inherited, came through the bridge, or asked, end by themselves', async () => {
  const { result, stderr } = await program(async ({ attach, spawn }) => {
    const bridged = spawn(({ attach }) => attach());
    const bridgedCode = await bridged.exited;
    const env = { ...process.env, COEXIST_NO_INSPECTOR: '1' };
    const asking = spawn(({ attachAsync }) => attachAsync(), undefined, { env });
    await attach();
    const inherited = spawn(({ attach }) => attach('b'));
    return {
      codes: [bridgedCode, await asking.exited, await inherited.exited],
      outcomes: [await bridged.result, await asking.result, await inherited.result],
    };
  });
  expect(result.codes).toEqual([0, 0, 0]);
  expect(result.outcomes[0]?.code).toBe('');
  expect(result.outcomes).toEqual(Array(3).fill(result.outcomes[0]));
  expect(stderr).toBe('');
});

test('importing the library attaches nothing', async () => {
  const { result } = await program(async ({ load, threads, urls }) => {
    await load(urls.a);
    await load(urls.b);
    return [
      threads.getEnvironmentData('coexist.area.v1'),
      ...Object.getOwnPropertySymbols(process.getBuiltinModule('node:worker_threads')),
    ]
      .map(String)
      .filter((text) => text.includes('coexist') || text.includes('Memory'));
  });
  expect(result).toEqual([]);
});

test('node --import of the preload attaches main, and ends by itself', async () => {
  const script =
    'const key = "coexist.area.v1"; console.log(String(require("node:worker_threads").getEnvironmentData(key)))';
  const { stdout, stderr } = await runNode(['--import', copyUrl('a', 'preload.js'), '-e', script]);
  expect(stdout.trim()).toMatch(/^\[object (WebAssembly\.Memory|SharedArrayBuffer)\]$/);
  expect(stderr).toBe('');
});
