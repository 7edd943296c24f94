// Servers and callers in threads of their own, with gates: a method that blocks, or waits in its event loop, says that it has begun and
// goes on when the test opens the gate.

import { Actor, until } from './actor.js';
import { type CopyName, copyUrl } from './copies.js';

const REACHED_MS = 10_000;

/** Words that a test and a method share. */
export class Gate {
  readonly words: Int32Array<SharedArrayBuffer>;

  constructor() {
    this.words = new Int32Array(new SharedArrayBuffer(16));
  }

  /** How many methods have begun at this gate. */
  get begun(): number {
    return Atomics.load(this.words, 0);
  }

  /** How many signals of methods at this gate were aborted. */
  get aborted(): number {
    return Atomics.load(this.words, 2);
  }

  reached(count = 1): Promise<void> {
    return until(`${count} methods have begun`, () => this.begun >= count);
  }

  /** The same, for a test that is blocked itself. */
  reachedBlocking(count = 1): void {
    for (const deadline = Date.now() + REACHED_MS; this.begun < count; ) {
      if (Date.now() > deadline) throw new Error(`${count} methods have not begun within ${REACHED_MS} ms`);
    }
  }

  open(): void {
    Atomics.store(this.words, 1, 1);
    Atomics.notify(this.words, 1);
  }
}

/** What a server in an actor serves. */
export type ActorMethods = {
  echo(value: unknown): unknown;
  add(a: number, b: number): number;
  fail(message: string): never;
  later(value: unknown): Promise<unknown>;
  /** Blocks at the gate. */
  hold(): string;
  /** Waits at the gate in the event loop. */
  holdAsync(): Promise<string>;
  /** The same, until its signal is aborted. */
  watch(): Promise<string>;
  caller(): { slot: number; threadId: number };
  thread(): number;
  close(): void;
};

export interface ServeIn {
  readonly name: string;
  readonly gate?: Gate;
  readonly copy?: CopyName;
  readonly options?: { cells?: number; cellBytes?: number; nested?: boolean };
}

/** Serves in the actor's event loop; the epoch. */
export function serveIn(actor: Actor, { name, gate, copy = 'a', options = {} }: ServeIn): Promise<number> {
  return actor.run(
    async ({ load, state }, { url, name, options, words }) => {
      const { serve } = await load(url);
      const { threadId } = process.getBuiltinModule('node:worker_threads');
      const gate = words as Int32Array<SharedArrayBuffer>;
      const server = serve(
        name,
        {
          echo: (value: unknown) => value,
          add: (a: number, b: number) => a + b,
          fail(message: string) {
            throw new RangeError(message);
          },
          later: async (value: unknown) => {
            await new Promise((resolve) => setTimeout(resolve, 1));
            return value;
          },
          hold() {
            Atomics.add(gate, 0, 1);
            Atomics.wait(gate, 1, 0, 20_000);
            return 'held';
          },
          async holdAsync() {
            Atomics.add(gate, 0, 1);
            while (Atomics.load(gate, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
            return 'held';
          },
          watch() {
            const { signal } = this;
            Atomics.add(gate, 0, 1);
            return new Promise((resolve) => {
              signal.addEventListener('abort', () => {
                Atomics.add(gate, 2, 1);
                resolve('aborted');
              });
            });
          },
          caller() {
            return { ...this.caller };
          },
          thread: () => threadId,
          close: () => server.close(),
        },
        options,
      );
      state['server'] = server;
      return server.epoch;
    },
    { url: copyUrl(copy, 'core.js'), name, options, words: gate?.words },
  );
}

/** Starts an actor that serves in its event loop. */
export async function startServer(options: ServeIn): Promise<Actor> {
  const actor = await Actor.start();
  await serveIn(actor, options);
  return actor;
}

/** Lets the actor's server serve by blocking, which `gate` says has begun; resolves with what `run()` returned. */
export function runIn(actor: Actor, gate: Gate, timeout = 20_000): Promise<number> {
  return actor.run(
    ({ state }, { words, timeout }) => {
      Atomics.add(words, 0, 1);
      return (state['server'] as { run(options: object): number }).run({ timeout });
    },
    { words: gate.words, timeout },
  );
}

export interface CallIn {
  readonly name: string;
  readonly form: 'sync' | 'async';
  readonly method: string;
  readonly args?: readonly unknown[];
  readonly timeout?: number;
  readonly copy?: CopyName;
  readonly connect?: { cells?: number; cellBytes?: number };
}

export interface Answer {
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
}

/** Calls from the actor's thread, over one connection that it keeps; never rejects for what the call throws. */
export function callIn(
  actor: Actor,
  { name, form, method, args = [], timeout, copy = 'a', connect = {} }: CallIn,
): Promise<Answer> {
  return actor.run(
    async ({ load, state }, { url, name, form, method, args, timeout, connect }) => {
      const lib = await load(url);
      const key = `client ${url} ${name}`;
      state[key] ??= lib.connect(name, connect);
      const client = state[key] as ReturnType<typeof lib.connect>;
      const bounded = client.with({ timeout: timeout ?? 20_000 });
      try {
        const value =
          form === 'sync'
            ? bounded.callSync(method, ...(args as never[]))
            : await bounded.call(method, ...(args as never[]));
        return { value };
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        return { code, message } as Answer;
      }
    },
    { url: copyUrl(copy, 'core.js'), name, form, method, args, timeout, connect },
  );
}
