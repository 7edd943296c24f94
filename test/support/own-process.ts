// A process of its own for one script: clauses about the process's one area need a main thread that nobody attached yet. The
// script is sent as source to workers/own-process.ts, so it sees nothing of the test but its tools and arguments.

import { type Serializable, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Tools } from '../../workers/own-process.js';
import { copyUrl } from './copies.js';

export type { Tools };

const PROCESS_MS = 20_000;
const entry = fileURLToPath(new URL('../../build/workers/own-process.js', import.meta.url));

export interface Outcome<R> {
  readonly result: R;
  readonly stderr: string;
  readonly exitCode: number | null;
}

export interface ProcessOptions<A> {
  readonly args?: A;
  readonly env?: Readonly<Record<string, string>>;
  readonly execArgv?: readonly string[];
}

/** Runs a script in a new process until that has ended; rejects with its error, and where it does not end. */
export async function inProcess<R, A = undefined>(
  script: (tools: Tools, args: A) => R | Promise<R>,
  { args, env = {}, execArgv = [] }: ProcessOptions<A> = {},
): Promise<Outcome<R>> {
  const inherited = { ...process.env };
  for (const name of Object.keys(inherited)) {
    if (/^(COEXIST_|NODE_|VITEST)/.test(name) && name !== 'COEXIST_NO_WASM') delete inherited[name];
  }
  const child = spawn(process.execPath, [...execArgv, entry], {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  let answer: { result?: R; error?: string } | undefined;
  let stderr = '';
  child.on('message', (message) => {
    answer = message as NonNullable<typeof answer>;
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), PROCESS_MS);
  const urls = { a: copyUrl('a', 'core.js'), b: copyUrl('b', 'core.js') };
  child.send({ source: String(script), args, urls } as Serializable);
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  if (answer?.error !== undefined) throw new Error(answer.error);
  if (answer === undefined || exitCode !== 0) throw new Error(`exit code ${exitCode}, answer ${answer}: ${stderr}`);
  return { result: answer.result as R, stderr, exitCode };
}
