// A program of its own process, for what one area per process makes untestable inside a test file. The test sends the
// source of a function, which runs in the main thread here and may start workers from further functions. The main thread
// itself never loads the library unless the function does so. The result goes to standard output as JSON.

import { runInThisContext } from 'node:vm';
import * as threads from 'node:worker_threads';
import type * as core from '../src/core.js';

export type Copy = 'a' | 'b';

/** What came of an attempt to attach; `id` is 0 where it failed. */
export interface Outcome {
  readonly id: number;
  readonly code: string;
  readonly message: string;
}

/** A worker that runs a function. */
export interface Thread<R> {
  readonly worker: threads.Worker;
  /** What the function returned; rejects if the worker ends without returning. */
  readonly result: Promise<R>;
  /** Resolves with the exit code. */
  readonly exited: Promise<number>;
}

/** The source of a function; it sees nothing of the test but its arguments. */
export type Body<A, R> = (context: ProgramContext, args: A) => R | Promise<R>;

export interface ProgramContext {
  /** URLs of the entries of two copies of the library. */
  readonly urls: Readonly<Record<Copy, string>>;
  readonly threads: typeof threads;
  /** Imports a module by URL or name. */
  load<Module = typeof core>(url: string): Promise<Module>;
  /** Attaches with a copy, copy a unless said otherwise, and says what came of it. */
  attach(copy?: Copy, options?: core.AttachOptions): Promise<Outcome>;
  attachAsync(copy?: Copy, options?: core.AttachAsyncOptions): Promise<Outcome>;
  spawn<R, A = undefined>(body: Body<A, R>, args?: A, options?: threads.WorkerOptions): Thread<R>;
  sleep(ms: number): Promise<void>;
  /** An Int32 of new shared memory. */
  word(): Int32Array;
  /** Blocks until the word is not 0, 20 s at most; returns what it then is. */
  blockUntil(word: Int32Array): number;
  /** Waits for the same with the event loop turning. */
  until(word: Int32Array): Promise<number>;
}

interface Start {
  readonly source: string;
  readonly args: unknown;
  readonly urls: Readonly<Record<Copy, string>>;
}

const BOUND_MS = 20_000;

function contextOf(urls: Start['urls']): ProgramContext {
  const outcome = async (attempt: (library: typeof core) => unknown, copy: Copy): Promise<Outcome> => {
    const library = (await import(urls[copy])) as typeof core;
    try {
      const { id } = (await attempt(library)) as core.Area;
      return { id, code: '', message: '' };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { id: 0, code: String(code), message };
    }
  };
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  return {
    urls,
    threads,
    load: (url) => import(url),
    attach: (copy = 'a', options) => outcome((library) => library.attach(options), copy),
    attachAsync: (copy = 'a', options) => outcome((library) => library.attachAsync(options), copy),
    spawn: (body, args, options) => spawn(urls, String(body), args, options),
    sleep,
    word: () => new Int32Array(new SharedArrayBuffer(4)),
    blockUntil(word) {
      Atomics.wait(word, 0, 0, BOUND_MS);
      return Atomics.load(word, 0);
    },
    async until(word) {
      const deadline = Date.now() + BOUND_MS;
      while (Atomics.load(word, 0) === 0 && Date.now() < deadline) await sleep(1);
      return Atomics.load(word, 0);
    },
  };
}

function spawn<R>(urls: Start['urls'], source: string, args: unknown, options: threads.WorkerOptions = {}): Thread<R> {
  const start: Start = { source, args, urls };
  const worker = new threads.Worker(new URL(import.meta.url), { ...options, workerData: start });
  const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
  const result = new Promise<R>((resolve, reject) => {
    worker.once('message', (message: { result: R }) => resolve(message.result));
    worker.once('error', reject);
    exited.then((code) => reject(new Error(`the worker exited with code ${code} and returned nothing`)));
  });
  result.catch(() => {}); // Whoever awaits it gets the error; a test about deaths need not.
  return { worker, result, exited };
}

const { source, args, urls } = (
  threads.isMainThread ? JSON.parse(process.argv[2] as string) : threads.workerData
) as Start;
const body = runInThisContext(`(${source})`) as Body<unknown, unknown>;
const result = await body(contextOf(urls), args);
if (threads.isMainThread) process.stdout.write(JSON.stringify({ result }));
else threads.parentPort?.postMessage({ result });
