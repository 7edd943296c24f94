// A foreign area announces itself on the channel: every thread sees the conflict, and it is said once.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

const FOREIGN = 0x0badf00d;
const OTHER = 0x0badcafe;

test('an announcement by hand', async () => {
  const { result, stderr } = await program(
    async ({ load, spawn, urls }, { foreign, other }) => {
      // Three listeners: main, which the bridge made create, and two workers that came through the bridge.
      const stay = Array.from({ length: 2 }, () =>
        spawn(async ({ load, threads, urls }) => {
          const area = (await load(urls.a)).attach();
          threads.parentPort?.postMessage({ result: area.id });
          await new Promise((resolve) => threads.parentPort?.once('message', resolve));
          threads.parentPort?.postMessage(area.inspect());
        }),
      );
      const ids = await Promise.all(stay.map(({ result }) => result));
      const area = (await load(urls.b)).attach();

      const stranger = spawn(
        async ({ sleep, threads }, { foreign, other }) => {
          const channel = new threads.BroadcastChannel('coexist.area.v1');
          const answers: unknown[] = [];
          const answered = (count: number): Promise<void> =>
            new Promise((resolve) => {
              const timer = setTimeout(resolve, 10_000);
              channel.onmessage = (event) => {
                answers.push((event as { data: unknown }).data);
                if (answers.length < count) return;
                clearTimeout(timer);
                resolve();
              };
            });
          const first = answered(3);
          channel.postMessage({ areaId: foreign });
          await first;
          // Once for each foreign id: the repetition stays without answer, the new id does not.
          const second = answered(6);
          channel.postMessage({ areaId: foreign });
          channel.postMessage({ areaId: other });
          await second;
          await sleep(100); // For answers too many.
          channel.close();
          return answers;
        },
        { foreign, other },
      );
      const answers = await stranger.result;
      const inWorkers = stay.map(
        ({ worker }) =>
          new Promise<unknown>((resolve) => {
            worker.once('message', resolve);
            worker.postMessage('inspect');
          }),
      );
      return { ids, id: area.id, answers, inspections: [area.inspect(), ...(await Promise.all(inWorkers))] };
    },
    { args: { foreign: FOREIGN, other: OTHER } },
  );
  const { id } = result;
  expect(result.ids).toEqual([id, id]);
  expect(result.answers).toEqual(Array(6).fill({ areaId: id }));
  expect(result.inspections).toHaveLength(3);
  for (const seen of result.inspections) {
    expect(seen).toMatchObject({ areaId: id, conflicted: true, conflict: FOREIGN });
  }
  expect(stderr.match(/COEXIST_ECONFLICT/g)).toHaveLength(1);
  expect(stderr).toContain('CoexistWarning');
  expect(stderr).toContain(`0x${id.toString(16).padStart(8, '0')}`);
  expect(stderr).toContain('0x0badf00d');
  expect(stderr).toContain('node --import coexist/preload');
});

test('what is no foreign id changes nothing', async () => {
  const { result, stderr } = await program(async ({ load, sleep, urls, threads }) => {
    const area = (await load(urls.a)).attach();
    const channel = new threads.BroadcastChannel('coexist.area.v1');
    const strange = [null, 1, 'areaId', {}, { areaId: 0 }, { areaId: -1 }, { areaId: 1.5 }, { areaId: 2 ** 32 }];
    for (const message of [...strange, { areaId: '5' }, { areaId: area.id }, { ask: 5 }]) channel.postMessage(message);
    // A question that is answered comes after all of them.
    const reply = new threads.BroadcastChannel('reply');
    const answer = new Promise<unknown>((resolve) => {
      const timer = setTimeout(resolve, 10_000);
      reply.onmessage = (event) => {
        clearTimeout(timer);
        resolve((event as { data: unknown }).data);
      };
    });
    channel.postMessage({ ask: 'reply' });
    const value = (await answer) as WebAssembly.Memory | SharedArrayBuffer;
    channel.close();
    reply.close();
    await sleep(0);
    const id = new Uint32Array(('buffer' in value ? value.buffer : value) as ArrayBufferLike)[4];
    return { same: id === area.id, conflicted: area.inspect().conflicted };
  });
  expect(result).toEqual({ same: true, conflicted: false });
  expect(stderr).toBe('');
});
