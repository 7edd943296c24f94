// Workers that end as soon as they have come through the bridge: main is then still done with their sessions, and Node
// aborts a process in which that meets the last moments of the worker.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test.each(['return', 'exit', 'throw'] as const)('30 workers that end at once, by %s', async (how) => {
  const { result, stderr } = await program(
    async ({ spawn, threads }, how) => {
      const codes: number[] = [];
      const ids = new Set<number>();
      const lane = async (): Promise<void> => {
        for (let i = 0; i < 10; i++) {
          // What the bridge has bequeathed is taken back, so that the next worker needs the bridge again.
          threads.setEnvironmentData('coexist.area.v1', undefined as never);
          const id = new Int32Array(new SharedArrayBuffer(4));
          const { exited } = spawn(
            async ({ load, urls }, { how, id }) => {
              const { attach } = await load(urls.a);
              id[0] = attach().id;
              if (how === 'exit') process.exit(7);
              if (how === 'throw') throw new Error('as planned');
            },
            { how, id },
          );
          codes.push(await exited);
          ids.add(id[0] as number);
        }
      };
      await Promise.all([lane(), lane(), lane()]);
      return { codes: [...new Set(codes)], workers: codes.length, areas: ids.size, attached: !ids.has(0) };
    },
    { args: how },
  );
  const codes = { return: [0], exit: [7], throw: [1] }[how];
  expect(result).toEqual({ codes, workers: 30, areas: 1, attached: true });
  expect(stderr).toBe('');
});
