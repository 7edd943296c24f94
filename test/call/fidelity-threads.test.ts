// Arguments and results between threads are what structuredClone makes of them, whichever way they go: blocking and asynchronous calls, one
// part or many, memory that is shared, buffers that are handed over; and what cannot be passed leaves no trace.

import { attach } from 'coexist';
import { type CallOptions, type Client, connect } from 'coexist/call';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor } from '../support/actor.js';
import { CLONED, POSTED, REFUSED, randomValue, seeded } from '../support/clone-values.js';
import { copyUrl } from '../support/copies.js';
import { difference } from '../support/same-clone.js';

type Served = {
  echo(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
  later(value: unknown): Promise<unknown>;
  count(...values: unknown[]): number;
  throwing(value: unknown): never;
  shared(): { first: Int32Array; second: Int32Array };
  refused(which: number): unknown;
  served(): number;
};
const FORMS = ['sync', 'async'] as const;
type Form = (typeof FORMS)[number];

/** Small cells: most lists take many parts. */
const CHANNELS = [
  { name: 'fidelity/large', cellBytes: 8192 },
  { name: 'fidelity/small', cellBytes: 256 },
];
let server: Actor;
const clients: Client<Served>[] = [];

beforeAll(async () => {
  attach();
  server = await Actor.start();
  await server.run(
    async ({ load }, { url, channels }) => {
      const { serve } = await load(url);
      let served = 0;
      const unclonable = [() => 1, Symbol('s'), new WeakMap(), { deep: [() => 1] }, new Proxy({}, {})];
      for (const { name, cellBytes } of channels) {
        const methods = {
          echo: (...values: unknown[]) => {
            served++;
            return values[0];
          },
          all: (...values: unknown[]) => values,
          later: async (value: unknown) => value,
          count: (...values: unknown[]) => values.length,
          throwing: (value: unknown) => {
            throw value;
          },
          shared: () => {
            const buffer = new SharedArrayBuffer(32);
            const [first, second] = [new Int32Array(buffer), new Int32Array(buffer, 16, 2)];
            first[4] = 7;
            return { first, second };
          },
          refused: (which: number) => unclonable[which],
          served: () => served,
        };
        serve(name, methods as never, { cellBytes, cells: 4 });
      }
    },
    { url: copyUrl('a', 'core.js'), channels: CHANNELS },
  );
  for (const { name } of CHANNELS) clients.push(connect<Served>(name, { timeout: 20_000 }));
});
afterAll(async () => {
  for (const client of clients) client.close();
  await server.terminate();
});

const each = CHANNELS.flatMap(({ name }, k) =>
  FORMS.map((form) => ({ name, form, client: () => clients[k] as Client<Served> })),
);

async function invoke(client: Client<Served>, form: Form, method: keyof Served, ...args: unknown[]): Promise<unknown> {
  return form === 'sync' ? client.callSync(method, ...(args as [never])) : client.call(method, ...(args as [never]));
}

describe.each(each)('$form through $name', ({ form, client }) => {
  it.each([...CLONED, ...POSTED])('$name', async ({ make }) => {
    const value = make();
    expect(difference(await invoke(client(), form, 'echo', value), structuredClone(value))).toBeUndefined();
    const list = [1, value, 'two', value];
    expect(difference(await invoke(client(), form, 'all', ...list), structuredClone(list))).toBeUndefined();
    expect(difference(await invoke(client(), form, 'later', value), structuredClone(value))).toBeUndefined();
  });

  it.each(REFUSED)('$name: an error that says what and where; nothing is sent', async ({ make }) => {
    const before = client().callSync('served');
    for (const args of [[make()], [new SharedArrayBuffer(8), make()]]) {
      const error = await invoke(client(), form, 'echo', ...args).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'COEXIST_EINVAL', message: expect.stringContaining('"echo"') });
      expect((error as Error).cause).toBeInstanceOf(Error);
    }
    expect(client().callSync('served')).toBe(before);
    expect(client().status().cells.free).toBe(4);
  });

  it('lists of any length', async () => {
    for (const length of [0, 1, 2, 100, 5_000]) {
      for (const value of [undefined, 1.5, 'text', { a: 1 }, 1n]) {
        const list = Array.from({ length }, () => value);
        expect(await invoke(client(), form, 'count', ...list)).toBe(length);
        expect(difference(await invoke(client(), form, 'all', ...list), structuredClone(list))).toBeUndefined();
      }
    }
    expect(await invoke(client(), form, 'echo')).toBeUndefined();
  });

  it('some megabytes there and back', async () => {
    const bytes = new Uint8Array(2_000_000).map((_, k) => k * 7);
    for (const value of [bytes, 'long '.repeat(400_000), { text: 'wide ☃'.repeat(100_000), bytes }]) {
      expect(difference(await invoke(client(), form, 'echo', value), structuredClone(value))).toBeUndefined();
    }
  });

  it('memory that is shared is the same memory', async () => {
    const { first, second } = (await invoke(client(), form, 'shared')) as ReturnType<Served['shared']>;
    expect(second[0]).toBe(7);
    Atomics.store(first, 4, 9);
    expect(second[0]).toBe(9);
    const mine = new Int32Array(new SharedArrayBuffer(8));
    const back = (await invoke(client(), form, 'echo', mine)) as Int32Array;
    Atomics.store(back, 1, 5);
    expect(mine[1]).toBe(5);
  });

  it('buffers that are handed over are detached here', async () => {
    const [one, other] = [new Uint8Array([1, 2, 3]), new Float64Array([4, 5])];
    const sent = [one, { other }];
    const expected = structuredClone(sent);
    const options: CallOptions = { transfer: [one.buffer, other.buffer] };
    expect(difference(await invoke(client().with(options), form, 'all', ...sent), expected)).toBeUndefined();
    expect([one.byteLength, other.byteLength]).toEqual([0, 0]);
  });

  it('buffers that cannot be handed over are left as they are', async () => {
    const before = client().callSync('served');
    const gone = new ArrayBuffer(4);
    structuredClone(gone, { transfer: [gone] });
    const mine = new ArrayBuffer(8);
    const rows: [unknown[], unknown][] = [
      [[mine, mine], 1],
      [[mine, gone], 1],
      [[mine, new SharedArrayBuffer(4)], 1],
      [[mine, new Uint8Array(4)], 1],
      [[mine, undefined], 1],
      [[mine], () => 1],
      [[mine], { mine, no: Symbol('s') }],
    ];
    for (const [transfer, value] of rows) {
      const options = { transfer: transfer as ArrayBuffer[] };
      await expect((async () => invoke(client().with(options), form, 'echo', value))()).rejects.toMatchObject({
        code: 'COEXIST_EINVAL',
      });
      expect(mine.byteLength).toBe(8);
    }
    expect(client().callSync('served')).toBe(before);
  });

  it('a result that cannot be cloned is the caller’s error, and the next call works', async () => {
    for (const which of [0, 1, 2, 3, 4]) {
      await expect(invoke(client(), form, 'refused', which)).rejects.toMatchObject({
        code: 'COEXIST_EINVAL',
        message: expect.stringContaining('"refused"'),
      });
      expect(await invoke(client(), form, 'count', 1, 2)).toBe(2);
    }
  });

  it('what is thrown arrives as it was thrown', async () => {
    const cause = new RangeError('why');
    const thrown = await invoke(client(), form, 'throwing', new TypeError('no', { cause })).catch(
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(TypeError);
    expect(thrown).toMatchObject({ message: 'no', cause: { name: 'RangeError', message: 'why' } });
    for (const value of [undefined, null, 5, 'text', { a: 1n }]) {
      const caught = await invoke(client(), form, 'throwing', value).then(
        () => 'nothing was thrown',
        (error: unknown) => error,
      );
      expect(caught).toEqual(value);
    }
  });
});

describe('random values', () => {
  const seed = Number(process.env['COEXIST_SEED'] ?? Date.now() & 0xfffff);
  it(`there and back, seed ${seed}`, async () => {
    const next = seeded(seed);
    for (let k = 0; k < 300; k++) {
      const list = Array.from({ length: next() % 4 }, () => randomValue(next));
      const client = clients[next() % 2] as Client<Served>;
      const found = await invoke(client, FORMS[next() % 2] as Form, 'all', ...list);
      expect(difference(found, structuredClone(list)), `list ${k} of seed ${seed}`).toBeUndefined();
    }
  });

  it('several callers that pass what only one can post at a time', async () => {
    const others = await Promise.all([Actor.start(), Actor.start()]);
    const calls = others.map((actor, which) =>
      actor.run(
        async ({ load }, { url, name, which }) => {
          const { connect } = await load(url);
          const client = connect(name, { timeout: 20_000 });
          let size = 0;
          // Each caller's turn comes when the other's event loop has turned.
          for (let k = 0, tries = 0; k < 20 && tries < 2_000; tries++) {
            try {
              const blob = (await client.call('echo', ...([new Blob(['x'.repeat(k)])] as never[]))) as Blob;
              size += blob.size;
              k++;
            } catch (error) {
              if ((error as { code?: string }).code !== 'COEXIST_EBUSY') throw error;
              await new Promise((resolve) => setTimeout(resolve, (tries * (2 + which)) % 5));
            }
          }
          client.close();
          return size;
        },
        { url: copyUrl('b', 'core.js'), name: 'fidelity/large', which },
      ),
    );
    expect(await Promise.all(calls)).toEqual([190, 190]);
    await Promise.all(others.map((actor) => actor.terminate()));
  });

  it('many at once, each with its own reply', async () => {
    const next = seeded(seed + 1);
    const values = Array.from({ length: 60 }, (_, k) => [
      k,
      randomValue(next),
      k % 7 === 0 ? new SharedArrayBuffer(8) : k,
    ]);
    const found = await Promise.all(values.map((value, k) => (clients[k % 2] as Client<Served>).call('echo', value)));
    for (const [k, value] of values.entries()) expect(difference(found[k], structuredClone(value))).toBeUndefined();
  });
});
