// A worker under a test's control: workers/actor.ts, with every answer bounded in time.

import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { ActorContext } from '../../workers/actor.js';

const ANSWER_MS = 20_000;

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: Error;
  readonly code?: string;
}

/** The source of a step; it sees nothing of the test but its arguments. */
export type Step<A, R> = (context: ActorContext, args: A) => R | Promise<R>;

export class Actor {
  readonly worker: Worker;
  /** Resolves with the exit code. */
  readonly exited: Promise<number>;
  /** The error event, if there was one. */
  error: Error | undefined;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #lastId = 0;

  private constructor(options: WorkerOptions) {
    this.worker = new Worker(new URL('../../build/workers/actor.js', import.meta.url), options);
    this.worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer.result);
      else waiting?.reject(Object.assign(answer.error, { code: answer.code }));
    });
    this.worker.on('error', (error) => {
      this.error = error;
    });
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', (code) => {
        resolve(code);
        for (const { reject } of this.#waiting.values()) reject(new Error(`the actor exited with code ${code}`));
        this.#waiting.clear();
      });
    });
  }

  static async start(options: WorkerOptions = {}): Promise<Actor> {
    const actor = new Actor(options);
    await actor.#answer(0);
    return actor;
  }

  /** Runs a step and waits for its result. Errors of the library keep their code. */
  run<R, A = undefined>(step: Step<A, R>, args?: A): Promise<R> {
    return this.#answer(this.post(step, args)) as Promise<R>;
  }

  /** Runs a step that will not answer (it blocks, or ends the thread). */
  post<R, A = undefined>(step: Step<A, R>, args?: A): number {
    const id = ++this.#lastId;
    this.worker.postMessage({ id, source: String(step), args });
    return id;
  }

  async terminate(): Promise<void> {
    await this.worker.terminate();
    await this.exited;
  }

  #answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`no answer from the actor within ${ANSWER_MS} ms`));
      }, ANSWER_MS);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          then(value);
        };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
    });
  }
}

/** Polls until the condition holds; fails after the bound. Only for what another thread does or leaves by its death. */
export async function until(what: string, condition: () => boolean, bound = 10_000): Promise<void> {
  const deadline = Date.now() + bound;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${bound} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
