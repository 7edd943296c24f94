// The bridge reaches a main thread blocked in Atomics.wait, and leaves that wait as it was.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test('a wait in main that is notified after the bridge has passed is woken as planned', async () => {
  const { result, stderr } = await program(async ({ spawn, until, word }) => {
    const [loaded, go, attached] = [word(), word(), word()];
    const orphan = spawn(
      async ({ attach, blockUntil, load, sleep, urls }, { loaded, go, attached }) => {
        await load(urls.a);
        Atomics.store(loaded, 0, 1);
        blockUntil(go);
        const outcome = await attach();
        // The word stays 0: only a notification can end the wait as 'ok'. It may come before the wait, hence again.
        for (let tries = 0; Atomics.notify(attached, 0) === 0 && tries < 10_000; tries++) await sleep(1);
        return outcome;
      },
      { loaded, go, attached },
    );
    await until(loaded);
    Atomics.store(go, 0, 1);
    Atomics.notify(go, 0);
    const woken = Atomics.wait(attached, 0, 0, 15_000);
    return { woken, outcome: await orphan.result };
  });
  expect(result).toEqual({ woken: 'ok', outcome: { id: expect.any(Number), code: '', message: '' } });
  expect(stderr).toBe('');
});

test('a wait in main that nobody notifies still times out', async () => {
  const { result, stderr } = await program(async ({ spawn, until, word }) => {
    const [loaded, go, attached, never] = [word(), word(), word(), word()];
    const orphan = spawn(
      async ({ attach, blockUntil, load, urls }, { loaded, go, attached }) => {
        await load(urls.a);
        Atomics.store(loaded, 0, 1);
        blockUntil(go);
        const outcome = await attach();
        Atomics.store(attached, 0, 1);
        return outcome;
      },
      { loaded, go, attached },
    );
    await until(loaded);
    Atomics.store(go, 0, 1);
    Atomics.notify(go, 0);
    // The event loop does not turn until the worker has attached, so the bridge fell into one of these waits.
    const waits: string[] = [];
    while (Atomics.load(attached, 0) === 0 && waits.length < 75) waits.push(Atomics.wait(never, 0, 0, 200));
    return { waits: [...new Set(waits)], attached: Atomics.load(attached, 0), outcome: await orphan.result };
  });
  expect(result).toEqual({
    waits: ['timed-out'],
    attached: 1,
    outcome: { id: expect.any(Number), code: '', message: '' },
  });
  expect(stderr).toBe('');
});
