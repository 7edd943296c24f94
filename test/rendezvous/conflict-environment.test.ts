// Environment data that somebody else has replaced is set right at the next attach(); another valid area there is a conflict.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test('a foreign area in environment data', async () => {
  const { result, stderr } = await program(async ({ attach, load, spawn, threads, urls }) => {
    const { attach: attachHere, createArea } = await load(urls.a);
    const own = attachHere();
    const listening = spawn(async ({ load, threads, urls }) => {
      const area = (await load(urls.b)).attach();
      threads.parentPort?.postMessage({ result: area.id });
      await new Promise((resolve) => threads.parentPort?.once('message', resolve));
      threads.parentPort?.postMessage(area.inspect());
    });
    await listening.result;
    const foreign = createArea({ slots: 1 });
    threads.setEnvironmentData('coexist.area.v1', (foreign.memory ?? foreign.buffer) as never);
    const again = attachHere();
    const other = await attach('b');
    const inWorker = new Promise<unknown>((resolve) => {
      listening.worker.once('message', resolve);
      listening.worker.postMessage('inspect');
    });
    return {
      ids: { own: own.id, foreign: foreign.id, again: again.id, other: other.id },
      later: await spawn(({ attach }) => attach()).result,
      inspections: [own.inspect(), await inWorker],
      inForeign: foreign.inspect(),
    };
  });
  const { foreign, own, ...others } = result.ids;
  expect(foreign).not.toBe(own);
  expect(others).toEqual({ again: own, other: own });
  expect(result.later.id).toBe(own);
  for (const seen of result.inspections)
    expect(seen).toMatchObject({ areaId: own, conflicted: true, conflict: foreign });
  expect(result.inForeign).toMatchObject({ areaId: foreign, conflicted: true, conflict: own });
  expect(stderr.match(/COEXIST_ECONFLICT/g)).toHaveLength(1);
  for (const id of [own, foreign]) expect(stderr).toContain(`0x${id.toString(16).padStart(8, '0')}`);
  expect(stderr).toContain('node --import coexist/preload');
});

test('a foreign area that was there first is the area of the process', async () => {
  const { result, stderr } = await program(async ({ attach, load, spawn, threads, urls }) => {
    const first = (await load(urls.b)).createArea();
    threads.setEnvironmentData('coexist.area.v1', (first.memory ?? first.buffer) as never);
    const worker = await spawn(({ attach }) => attach()).result;
    return { first: first.id, main: await attach(), worker, conflicted: first.inspect().conflicted };
  });
  expect(result.main).toEqual({ id: result.first, code: '', message: '' });
  expect(result.worker).toEqual(result.main);
  expect(result.conflicted).toBe(false);
  expect(stderr).toBe('');
});

test.each([
  { name: 'something else', value: 'something else' },
  { name: 'nothing', value: undefined },
])('$name in environment data is replaced at the next attach() of any thread', async ({ value }) => {
  const { result, stderr } = await program(
    async ({ attach, load, spawn, threads, urls }, value) => {
      const main = await attach();
      const inWorker = spawn(async ({ attach, spawn, threads }, value) => {
        const own = await attach();
        threads.setEnvironmentData('coexist.area.v1', value as never);
        await attach('b');
        return { own, nested: await spawn(({ attach }) => attach()).result };
      }, value);
      const worker = await inWorker.result;
      threads.setEnvironmentData('coexist.area.v1', value as never);
      await attach();
      const later = await spawn(({ attach }) => attach()).result;
      return { main, worker, later, conflicted: (await load(urls.a)).attach().inspect().conflicted };
    },
    { args: value },
  );
  expect(result.main.code).toBe('');
  expect(result.worker).toEqual({ own: result.main, nested: result.main });
  expect(result.later).toEqual(result.main);
  expect(result.conflicted).toBe(false);
  expect(stderr).toBe('');
});
