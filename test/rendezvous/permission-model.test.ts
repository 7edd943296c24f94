// Under Node's permission model the inspector is refused (unless a newer Node is told --allow-inspector).

import { expect, test } from 'vitest';
import { permissionFlags, program } from '../support/program.js';

test('an orphan worker is told so, and attachAsync() waits for main', async () => {
  const { result, stderr } = await program(
    async ({ attach, spawn, word, until }) => {
      const asked = word();
      const orphan = spawn(async ({ attach, attachAsync, load, urls }, asked) => {
        const { via } = (await load(urls.a)).probe();
        const sync = await attach();
        Atomics.store(asked, 0, 1);
        return { via, sync, async: await attachAsync() };
      }, asked);
      await until(asked);
      const main = await attach('b');
      return { main, orphan: await orphan.result };
    },
    { flags: permissionFlags },
  );
  const { main, orphan } = result;
  expect(orphan.via).toBe('announcement');
  expect(orphan.sync).toMatchObject({ id: 0, code: 'COEXIST_ERENDEZVOUS' });
  expect(orphan.sync.message).toContain('refused by the permission model');
  expect(main.code).toBe('');
  expect(orphan.async).toEqual(main);
  expect(stderr).not.toContain('CoexistWarning');
});

test('when nobody attaches, the error names the refusal', async () => {
  const { result } = await program(
    async ({ spawn }) => {
      const orphan = spawn(({ attachAsync }) => attachAsync('a', { timeout: 100 }));
      return { outcome: await orphan.result, exitCode: await orphan.exited };
    },
    { flags: permissionFlags },
  );
  expect(result.outcome.code).toBe('COEXIST_ERENDEZVOUS');
  expect(result.outcome.message).toContain('refused by the permission model');
  expect(result.outcome.message).toContain('within 100 ms');
  expect(result.exitCode).toBe(0);
});

test('workers that inherit the area register as anywhere else', async () => {
  const { result } = await program(
    async ({ load, spawn, urls }) => {
      const main = (await load(urls.a)).register();
      const worker = spawn(async ({ load, urls }) => {
        const { attach, register } = await load(urls.b);
        register();
        return attach()
          .inspect()
          .slots.map(({ refcount }) => refcount);
      });
      return { main: main.slot, rows: await worker.result };
    },
    { flags: permissionFlags },
  );
  expect(result).toEqual({ main: 0, rows: [1, 1] });
});

test('--allow-inspector gives the bridge back, where this Node has it', async () => {
  const known = process.allowedNodeEnvironmentFlags.has('--allow-inspector');
  const { result } = await program(({ spawn }) => spawn(({ attach }) => attach()).result, {
    flags: [...permissionFlags, ...(known ? ['--allow-inspector'] : [])],
  });
  expect(result.code).toBe(known ? '' : 'COEXIST_ERENDEZVOUS');
});
