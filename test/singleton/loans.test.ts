// A reference that is taken for a worker before it runs: the instance cannot end between the decision to start it and its first step,
// however soon the others let go.

import { type Loan, type MemoryReference, type MemorySingleton, singleton } from 'coexist/singleton';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Actor } from '../support/actor.js';
import { BACKENDS, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { areaFor, declareIn, FINALIZED, newLog, releaseIn, singletonBytes } from '../support/singletons.js';
import { identityOf, kill, NO_SUCH_THREAD, ownIdentity } from '../support/threads.js';

const KEY = 'app/limits';
const actors: Actor[] = [];
afterEach(async () => {
  await Promise.all(actors.splice(0).map((actor) => actor.terminate()));
});

const adoptIn = (actor: Actor, loan: Loan): Promise<{ generation: number; content: number; created: boolean }> =>
  actor.run(
    ({ state }, { key, loan }) => {
      const reference = (state[key] as MemorySingleton).adopt(loan);
      (state['references'] as MemoryReference[]).push(reference);
      const { generation, created } = reference;
      return { generation, created, content: reference.memory.i32[0] as number };
    },
    { key: KEY, loan },
  );

const lendIn = (actor: Actor): Promise<Loan> =>
  actor.run(({ state }) => (state['references'] as MemoryReference[]).at(-1)!.lend());

describe.each(BACKENDS)('%s', (backend) => {
  function scene() {
    const area = areaFor(backend);
    const finalize = vi.fn();
    const declaration = {
      bytes: 64,
      area,
      finalize,
      create: ({ i32 }: { i32: Int32Array }): void => {
        i32[0] = 4711;
      },
    };
    const log = newLog();
    const worker = async (): Promise<Actor> => {
      const actor = await startActor(backend);
      actors.push(actor);
      await declareIn(actor, area, { key: KEY, log });
      return actor;
    };
    const it = singleton(KEY, declaration);
    return { area, it, finalize, worker, words: new Int32Array(log), bytes: singletonBytes(area, KEY) };
  }

  test('the lender lets go before the worker runs: the instance is there when it comes, and ends with it', async () => {
    const { it, finalize, worker, words } = scene();
    const reference = it.acquire();
    const loan = reference.lend();
    expect(JSON.parse(JSON.stringify(loan))).toEqual(loan);
    reference.release();
    expect(it.peek()).toMatchObject({ phase: 'LIVE', total: 1, references: [{ loan: true, count: 1 }] });
    const actor = await worker();
    expect(await adoptIn(actor, loan)).toEqual({ generation: 0, created: false, content: 4711 });
    const holder = String(await identityOf(actor));
    expect(it.peek().references).toMatchObject([{ loan: false, count: 1, identity: holder }]);
    await releaseIn(actor);
    expect([finalize.mock.calls.length, words[FINALIZED], it.peek().phase]).toEqual([0, 1, 'EMPTY']);
  });

  test('a loan is adopted once, and not when it was taken back', async () => {
    const { it, worker, bytes } = scene();
    const reference = it.acquire();
    const [first, second] = [reference.lend(), reference.lend()];
    const actor = await worker();
    await adoptIn(actor, first);
    await expect(adoptIn(actor, first)).rejects.toMatchObject({ code: 'COEXIST_EGONE' });
    failure('COEXIST_EGONE', () => it.adopt(first));
    expect(reference.revoke(first)).toBe(false);
    expect(reference.revoke(second)).toBe(true);
    expect(reference.revoke(second)).toBe(false);
    await expect(adoptIn(actor, second)).rejects.toMatchObject({ code: 'COEXIST_EGONE' });
    expect(it.peek().total).toBe(2);
    // The rows of loans are used again, by other loans.
    const third = reference.lend();
    expect([third.row, bytes.rowsUsed()]).toEqual([first.row, 4]);
    failure('COEXIST_EGONE', () => it.adopt(first));
    it.adopt(third).release();
    expect(it.peek().total).toBe(2);
  });

  test('the last thing held is a loan, and it is taken back: the instance ends', () => {
    const { it, finalize } = scene();
    const reference = it.acquire();
    const loan = reference.lend();
    reference.release();
    expect(finalize).not.toHaveBeenCalled();
    expect(reference.revoke(loan)).toBe(true);
    expect([finalize.mock.calls.length, it.peek().phase]).toEqual([1, 'EMPTY']);
    failure('COEXIST_EGONE', () => it.adopt(loan));
  });

  test('the lender dies: the loan holds nothing up, and is good only where the instance lived on', async () => {
    const { it, worker, bytes } = scene();
    const lender = await worker();
    const own = it.acquire();
    await lender.run(({ state }, key) => {
      (state['references'] as MemoryReference[]).push((state[key] as MemorySingleton).acquire());
    }, KEY);
    const loans = [await lendIn(lender), await lendIn(lender), await lendIn(lender)];
    await kill(lender);
    expect(it.peek().total).toBe(1);
    const adopted = it.adopt(loans[0]!);
    expect([adopted.memory.i32[0], it.peek().total]).toEqual([4711, 2]);
    own.release();
    adopted.release();
    expect(bytes.phase()).toBe('EMPTY');
    failure('COEXIST_EGONE', () => it.adopt(loans[1]!));
    const next = it.acquire();
    expect(next.generation).toBe(1);
    failure('COEXIST_EGONE', () => it.adopt(loans[2]!));
    expect(it.peek().total).toBe(1);
  });

  test('who adopts dies half-way: nothing stays counted', () => {
    const { it, bytes } = scene();
    const reference = it.acquire();
    const loan = reference.lend();
    const { count, phase } = bytes.row(loan.row);
    // The identity was exchanged, nothing else.
    bytes.plantRow(loan.row, NO_SUCH_THREAD, count, phase);
    expect(it.peek().total).toBe(1);
    expect(reference.revoke(loan)).toBe(false);
    expect([it.reclaim(), bytes.row(loan.row).identity]).toEqual([1, 0n]);
    reference.release();
    expect(bytes.phase()).toBe('EMPTY');
  });

  test('who adopts was cut half-way, and adopts again', () => {
    const { it, bytes } = scene();
    const reference = it.acquire();
    const loan = reference.lend();
    expect(bytes.row(loan.row).identity).toBe(ownIdentity());
    expect(it.adopt(loan).generation).toBe(0);
    expect([it.peek().total, bytes.row(loan.row).identity]).toEqual([2, 0n]);
  });

  test('a row that a lend was cut in is used by the next one', () => {
    const { it, bytes } = scene();
    const reference = it.acquire();
    bytes.plantRow(1, -ownIdentity(), 5, 0);
    expect(reference.lend().row).toBe(1);
    expect(it.peek().total).toBe(2);
  });

  test.each([
    [undefined],
    [{}],
    [{ key: 'another', generation: 0, row: 0, number: 1 }],
    [{ key: KEY, generation: 0, row: 99, number: 1 }],
    [{ key: KEY, generation: 0, row: -1, number: 1 }],
  ])('COEXIST_EINVAL: %j is no loan of it', (loan) => {
    const { it } = scene();
    it.acquire();
    failure('COEXIST_EINVAL', () => it.adopt(loan as Loan));
    expect(it.peek().total).toBe(1);
  });

  test('the table is full: the loan, or the reference, is refused, and nothing has changed', () => {
    const { area, it, bytes } = scene();
    const reference = it.acquire();
    for (let k = 1; k < 8; k++) bytes.plantRow(k, (1n << 61n) | BigInt(k), 0, 0);
    failure('COEXIST_EFULL', () => reference.lend());
    expect(it.peek().total).toBe(1);
    // Nor is there one for a thread that has none.
    bytes.plantRow(0, (1n << 61n) | 9n, 1, bytes.row(0).phase);
    const late = singleton(KEY, { bytes: 64, create() {}, area });
    const { message } = failure('COEXIST_EFULL', () => late.acquire());
    expect(message).toContain(KEY);
    failure('COEXIST_EFULL', () => late.get());
    failure('COEXIST_EFULL', () => late.adopt({ key: KEY, generation: 0, row: 1, number: 1 }));
    expect(late.peek()).toMatchObject({ phase: 'LIVE', total: 1 });
  });
});
