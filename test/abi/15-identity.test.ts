// Clause 15: identities, checked against /proc as read by the tests themselves.

import { createArea, register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, registerIn, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { inProcess } from '../support/own-process.js';
import { identityOf, ownIdentity } from '../support/threads.js';

describe.each(BACKENDS)('%s', (backend) => {
  test('is start time and thread id, in main, in a worker and in each copy', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const main = register({ area });
    const actor = await startActor(backend);
    const worker = await registerIn(actor, area, {}, 'a');
    await registerIn(actor, area, {}, 'b');
    const identity = await identityOf(actor);
    expect(bytes.owner(main.slot)).toBe(ownIdentity());
    expect(bytes.owner(worker.slot)).toBe(identity);
    expect(bytes.slot(worker.slot, 'refcount')).toBe(2);
    expect(identity).not.toBe(ownIdentity());
    expect(identity > 0n && identity >> 61n === 0n).toBe(true);
    const rows = area.inspect().slots.map(({ osTid }) => osTid);
    expect(rows).toEqual([process.pid, Number(identity & 0x3fffffn)]);
    await actor.terminate();
  });

  test.each([
    ['/proc is refused', 'EACCES'],
    ['/proc does not exist', 'ENOENT'],
  ] as const)('where %s it has bit 61, and bits below are random', async (_, code) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const actors = [await startActor(backend), await startActor(backend)];
    const urls = [copyUrl('a', 'core.js'), copyUrl('b', 'core.js')];
    for (const actor of actors) {
      const slots = await actor.run(
        async ({ load, state }, { urls, memory, code }) => {
          const fs = process.getBuiltinModule('node:fs') as unknown as Record<string, (...args: unknown[]) => unknown>;
          for (const method of ['readFileSync', 'readlinkSync']) {
            const original = fs[method] as (...args: unknown[]) => unknown;
            fs[method] = (path, ...rest) => {
              if (String(path).startsWith('/proc')) throw Object.assign(new Error(`${code}: refused`), { code });
              return original(path, ...rest);
            };
          }
          const slots: number[] = [];
          for (const url of urls) {
            const lib = await load(url);
            const registration = lib.register({ area: lib.openArea(memory) });
            state.registrations.push(registration);
            slots.push(registration.slot);
          }
          return slots;
        },
        { urls, memory: memoryOf(area), code },
      );
      // Both copies go by one identity, or they would hold two slots.
      expect(new Set(slots).size).toBe(1);
    }
    const owners = [bytes.owner(0), bytes.owner(1)] as const;
    for (const owner of owners) expect(owner >> 61n).toBe(1n);
    expect(owners[0]).not.toBe(owners[1]);
    expect(area.inspect().slots.map(({ osTid, alive }) => [osTid, alive])).toEqual([
      [null, null],
      [null, null],
    ]);
    for (const actor of actors) await actor.terminate();
  });
});

test.each([
  // The tick a thread started in, the uptime that /proc tells, and whether it sleeps before it takes its identity up.
  ['the same tick', '123456', '1234.56 9.99', true],
  ['a tick that is still to come', '123457', '1234.56 9.99', true],
  ['the tick before', '123455', '1234.56 9.99', false],
  ['long ago', '5', '1234.56 9.99', false],
  ['one digit of difference', '999', '10.00 0.00', false],
  ['an uptime that says nothing', '5', 'soon', true],
  ['an uptime that is refused', '5', undefined, true],
] as const)('is taken up once its tick has passed: %s', async (_, start, uptime, waits) => {
  const { result } = await inProcess(
    async ({ load, urls, THREAD, threads }, { start, uptime }) => {
      const fs = process.getBuiltinModule('node:fs') as unknown as { readFileSync(...args: unknown[]): string };
      const read = fs.readFileSync;
      const anchored = (): boolean => threads[THREAD] !== undefined;
      const events: unknown[] = [];
      fs.readFileSync = (path, ...rest) => {
        if (path === '/proc/uptime') {
          events.push('uptime');
          if (uptime === undefined) throw Object.assign(new Error('refused'), { code: 'EACCES' });
          return uptime;
        }
        const text = read(path, ...rest);
        if (path !== '/proc/thread-self/stat') return text;
        const end = text.lastIndexOf(')') + 2;
        const fields = text.slice(end).split(' ');
        fields[19] = start;
        return text.slice(0, end) + fields.join(' ');
      };
      const wait = Atomics.wait;
      Atomics.wait = ((...args: [Int32Array, number, number, number]) => {
        events.push([args[3], anchored()]);
        return wait(...args);
      }) as typeof Atomics.wait;
      const lib = await load(urls.a);
      lib.register({ area: lib.createArea({ slots: 1, blockBytes: 4096, heapBytes: 0 }) });
      const words = threads[THREAD] as Int32Array;
      const identity = (BigInt(words[3] as number) << 32n) | BigInt((words[2] as number) >>> 0);
      return { events, own: identity === ((BigInt(start) << 22n) | BigInt(process.pid)) };
    },
    { args: { start, uptime } },
  );
  // Two ticks of 10 ms, before anybody can see the identity; and the clock is asked once in a thread's life.
  expect(result).toEqual({ events: waits ? ['uptime', [20, false]] : ['uptime'], own: true });
});

test('fields are counted after the last ")" of a name that looks like fields', async () => {
  const { result } = await inProcess(async ({ load, urls, THREAD, threads }) => {
    process.title = 'a) Z 1 (b) R 2';
    const fs = process.getBuiltinModule('node:fs');
    const stat = fs.readFileSync('/proc/thread-self/stat', 'utf8');
    const lib = await load(urls.a);
    const area = lib.createArea({ slots: 1, blockBytes: 4096, heapBytes: 0 });
    lib.register({ area });
    const words = threads[THREAD] as Int32Array;
    const identity = (BigInt(words[3] as number) << 32n) | BigInt((words[2] as number) >>> 0);
    const startTime = BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string);
    return {
      named: stat.includes(') Z'),
      same: identity === ((startTime << 22n) | BigInt(process.pid)),
      rows: area.inspect().slots,
    };
  });
  expect(result).toMatchObject({ named: true, same: true, rows: [{ alive: true }] });
});

test('the identity of the process’s area and of private ones is the same', async () => {
  const areas = [createArea({ slots: 2 }), createArea({ slots: 2 })];
  for (const area of areas) register({ area });
  expect(areas.map((area) => bytesOf(area).owner(0))).toEqual([ownIdentity(), ownIdentity()]);
});
