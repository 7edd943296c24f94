// A11, a child process does not inherit the registration and starts as A1; a new thread never inherits its parent's slot (the
// CLONE_VM rule). Restated: fork() without exec does not exist here; a child process is child_process.fork or spawn, from the
// main thread and from a worker, with and without the advanced serialization that could carry shared memory.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SHARE_ENV } from 'node:worker_threads';
import { attach, register } from 'coexist';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { inChild, root } from '../support/child.js';
import { copyUrl } from '../support/copies.js';
import { rawSlot } from '../support/slot.js';
import { registerIn, untilFree } from '../support/steps.js';

const fixture = join(root, 'build', 'a11-child.mjs');

interface Fresh {
  readonly attached: boolean;
  readonly via: string;
  readonly id: number;
  readonly slots: unknown[];
  readonly generation: number;
  readonly slot: number;
  readonly refcount: number;
}

let held: ReturnType<typeof register>;
beforeAll(() => {
  held = register({ name: 'a11' });
  register();
  writeFileSync(
    fixture,
    `import { attach, probe, register } from ${JSON.stringify(copyUrl('b'))};
     const { attached, via } = probe();
     const area = attach();
     const { slots } = area.inspect();
     const { slot, generation } = register();
     const { refcount } = area.inspect().slots[0];
     process.send({ attached, via, id: area.id, slots, slot, generation, refcount });`,
  );
});
afterAll(() => expect(rawSlot(attach(), held.slot).refcount).toBe(2));

const fresh = (id: number): Fresh => ({
  attached: false,
  via: 'create',
  id,
  slots: [],
  slot: 0,
  generation: 1,
  refcount: 1,
});

describe('a child process starts with nothing', () => {
  test.each(['json', 'advanced'] as const)('forked by the main thread, %s serialization', async (serialization) => {
    const child = fork(fixture, { serialization, env: { ...process.env, NODE_OPTIONS: '' }, execArgv: [] });
    const [seen] = (await once(child, 'message')) as [Fresh];
    expect(seen).toEqual(fresh(seen.id));
    expect(seen.id).not.toBe(attach().id);
    await once(child, 'exit');
  });

  test('forked by a registered worker', async () => {
    const actor = await Actor.start();
    const { slot } = await registerIn(actor, 'ab');
    const seen = await actor.run(async (_, fixture) => {
      const child = process.getBuiltinModule('node:child_process').fork(fixture, { execArgv: [] });
      const { once } = process.getBuiltinModule('node:events');
      const [message] = (await once(child, 'message')) as [Fresh];
      await once(child, 'exit');
      return message;
    }, fixture);
    expect(seen).toEqual(fresh(seen.id));
    expect(seen.id).not.toBe(attach().id);
    expect(rawSlot(attach(), slot).refcount).toBe(2);
    await actor.terminate();
    await untilFree(attach(), slot);
  });

  test('spawned', async () => {
    const { result } = await inChild(async ({ load }, url) => {
      const { attach, probe } = await load(url);
      return { probed: probe().via, rows: attach().inspect().slots.length, id: attach().id };
    }, copyUrl('a'));
    expect(result).toMatchObject({ probed: 'create', rows: 0 });
    expect(result.id).not.toBe(attach().id);
  });
});

describe("a new thread inherits the area, never its parent's slot", () => {
  test.each([
    ['plain', {}],
    ['sharing its environment', { env: SHARE_ENV }],
    ['with an empty environment', { env: {} }],
    ["with the parent's memory as workerData", { workerData: 'area' }],
  ])('a worker %s', async (_, options) => {
    const data = 'workerData' in options ? { workerData: attach().memory ?? attach().buffer } : options;
    const actor = await Actor.start(data);
    const before = await actor.run(async ({ load }, url) => {
      const { attach, probe } = await load(url);
      const { attached } = probe();
      const { threadId } = process.getBuiltinModule('node:worker_threads');
      return {
        attached,
        own: attach()
          .inspect()
          .slots.filter((row) => row.threadId === threadId),
        id: attach().id,
      };
    }, copyUrl('a'));
    expect(before).toEqual({ attached: false, own: [], id: attach().id });
    const { slot, row } = await registerIn(actor, 'b');
    expect(slot).not.toBe(held.slot);
    expect(row.refcount).toBe(1);
    expect(rawSlot(attach(), held.slot).refcount).toBe(2);
    await actor.terminate();
    await untilFree(attach(), slot);
  });
});
