// The bridge never enables the debugger: `debugger` statements that main runs meanwhile do not pause it.

import { expect, test } from 'vitest';
import { program } from '../support/program.js';

test('main runs through debugger statements while workers come through the bridge', async () => {
  const { result, stderr } = await program(async ({ spawn, until, word }) => {
    const [loaded, go, attached] = [word(), word(), word()];
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
    const deadline = Date.now() + 15_000;
    // biome-ignore lint/suspicious/noDebugger: it is what must not pause main
    while (Atomics.load(attached, 0) === 0 && Date.now() < deadline) debugger;
    return { whileBusy: Atomics.load(attached, 0), outcome: await orphan.result };
  });
  expect(result).toEqual({ whileBusy: 1, outcome: { id: expect.any(Number), code: '', message: '' } });
  expect(stderr).toBe('');
});
