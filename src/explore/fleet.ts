// The workers of one exploration, seen from the caller's thread: one per explored thread, started once, used for every schedule, and
// always terminated.

import { Worker } from 'node:worker_threads';
import type { SharedMemory } from '../core.js';
import { type FailureKind, MAX_THREADS } from './control.js';
import type { FromWorker, PlainError, Prepare, Shipped, ToWorker, WorkerData } from './messages.js';

type Memory = SharedArrayBuffer | SharedMemory;

interface Member {
  readonly worker: Worker;
  /** Messages that nobody has waited for yet. */
  readonly arrived: FromWorker[];
  waiting: { resolve(message: FromWorker): void; reject(error: Error): void } | undefined;
  broken: Error | undefined;
}

export interface Failed {
  readonly kind: FailureKind;
  readonly error: Error;
}

/** Of a trace, this many lines at its beginning and at its end are kept. */
const HEAD = 500;
const TAIL = 1500;

export interface FleetOptions {
  readonly data?: unknown;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

export class Fleet {
  readonly #members: Member[] = [];
  readonly #program: Shipped;
  readonly #options: FleetOptions;
  readonly #lines: { order: number; text: string }[] = [];
  failed: Failed | undefined;

  constructor(program: Shipped, options: FleetOptions) {
    this.#program = program;
    this.#options = options;
  }

  /** Starts the threads; how many there are, the first one may have to tell. */
  async load(known: number | undefined): Promise<{ memory: Memory; threads: number }> {
    for (let index = 0; index < (known ?? 1); index++) this.#start(index);
    const first = await this.#expect(0, 'loaded');
    const { threads, memory } = first as FromWorker & { type: 'loaded' };
    if (threads < 2 || threads > MAX_THREADS) throw new RangeError(`${threads} threads, expected 2 to ${MAX_THREADS}`);
    for (let index = this.#members.length; index < threads; index++) this.#start(index);
    for (let index = 1; index < threads; index++) await this.#expect(index, 'loaded');
    return { memory: memory as Memory, threads };
  }

  /** One after the other: what the program prepares is deterministic. */
  async prepare(message: Prepare): Promise<void> {
    for (let index = 0; index < this.#members.length; index++) {
      this.#post(index, message);
      await this.#expect(index, 'prepared');
    }
  }

  async run(snapshot: SharedArrayBuffer): Promise<void> {
    this.failed = undefined;
    this.#lines.length = 0;
    const all = this.#members.map((_, index) => index);
    for (const index of all) this.#post(index, { type: 'run', snapshot });
    await Promise.all(all.map((index) => this.#expect(index, 'done')));
  }

  /** The trace so far, in order. */
  lines(): string[] {
    const texts = this.#lines.sort((a, b) => a.order - b.order).map(({ text }) => text);
    if (texts.length <= HEAD + TAIL) return texts;
    const left = texts.length - HEAD - TAIL;
    return [...texts.slice(0, HEAD), `    ... ${left} lines left out ...`, ...texts.slice(-TAIL)];
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map(({ worker }) => worker.terminate()));
  }

  #start(index: number): void {
    const { data, env } = this.#options;
    const workerData: WorkerData = { index, program: this.#program, data };
    const worker = new Worker(new URL('./explore-worker.js', import.meta.url), {
      workerData,
      execArgv: [],
      ...(env === undefined ? {} : { env }),
    });
    const member: Member = { worker, arrived: [], waiting: undefined, broken: undefined };
    const broke = (error: Error): void => {
      member.broken ??= error;
      member.waiting?.reject(member.broken);
    };
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'line') this.#lines.push(message);
      else if (message.type === 'failed') this.failed ??= { kind: message.kind, error: revived(message.error) };
      else if (message.type === 'refused') broke(revived(message.error));
      else if (member.waiting !== undefined) member.waiting.resolve(message);
      else member.arrived.push(message);
    });
    worker.on('error', broke);
    worker.on('exit', () => broke(new Error(`explored thread ${index} ended`)));
    this.#members.push(member);
  }

  #post(index: number, message: ToWorker): void {
    this.#members[index]?.worker.postMessage(message);
  }

  async #expect(index: number, type: FromWorker['type']): Promise<FromWorker> {
    const member = this.#members[index] as Member;
    const message =
      member.arrived.shift() ??
      (await new Promise<FromWorker>((resolve, reject) => {
        if (member.broken !== undefined) reject(member.broken);
        else member.waiting = { resolve, reject };
      }));
    member.waiting = undefined;
    if (message.type !== type) throw new Error(`explored thread ${index} sent ${message.type}, expected ${type}`);
    return message;
  }
}

function revived({ name, message, stack, code }: PlainError): Error {
  const error = new Error(message);
  Object.assign(error, { name, ...(stack === undefined ? {} : { stack }), ...(code === undefined ? {} : { code }) });
  return error;
}
