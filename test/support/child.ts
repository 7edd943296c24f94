// A step in a process of its own: the source of a function, run as a module by a fresh Node, with every wait bounded. What it
// returns, or hands to `report`, comes back parsed. The step sees nothing of the test but its arguments.

import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as core from '../../src/core.js';

const CHILD_MS = 25_000;

export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What a child's step gets. */
export interface ChildContext {
  /** Imports a module by URL: a copy of the library, unless said otherwise. */
  load<Module = typeof core>(url: string): Promise<Module>;
  /** Hands a result to the test, at any moment up to the last exit handler, in any thread. */
  report(result: unknown): void;
  /** Text of a module that runs another step with this context; for workers, as a `data:` URL. */
  module(step: string, args: unknown): string;
}

export type ChildStep<A, R> = (context: ChildContext, args: A) => R | Promise<R>;

export interface ChildOptions {
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export interface ChildResult<R> {
  readonly code: number;
  /** What the last `report` handed over. */
  readonly result: R;
  /** What all of them did, of all threads of the child, in order. */
  readonly reports: readonly R[];
  readonly stdout: string;
  readonly stderr: string;
}

const MARK = '\u0001result:';

/** Source of a module that runs a step; `report` prints on the process's standard output. */
function moduleText(step: string, args: unknown): string {
  return `
    const { writeSync } = process.getBuiltinModule('node:fs');
    const context = {
      load: (url) => import(url),
      report: (result) => writeSync(1, ${JSON.stringify(MARK)} + JSON.stringify(result) + '\\n'),
      module: ${String(moduleText)},
    };
    const MARK = ${JSON.stringify(MARK)};
    const result = await (${step})(context, ${JSON.stringify(args ?? null)});
    if (result !== undefined) context.report(result);
  `;
}

/** Runs a step in a child process and waits until that ends. */
export function inChild<R, A = undefined>(
  step: ChildStep<A, R>,
  args?: A,
  { flags = [], env = {} }: ChildOptions = {},
): Promise<ChildResult<R>> {
  return runNode([...flags, '--input-type=module', '--eval', moduleText(String(step), args)], env);
}

/** Runs Node with these arguments, and waits until it ends. */
export function runNode<R = undefined>(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ChildResult<R>> {
  return new Promise((resolve, reject) => {
    const options = { cwd: root, timeout: CHILD_MS, killSignal: 'SIGKILL', maxBuffer: 2 ** 24 } as const;
    const merged = { ...process.env, NODE_OPTIONS: '', ...env };
    execFile(process.execPath, args, { ...options, env: merged }, (error, stdout, stderr) => {
      if (error?.killed) return reject(new Error(`the child did not end within ${CHILD_MS} ms\n${stdout}\n${stderr}`));
      const lines = stdout.split('\n').filter((text) => text.startsWith(MARK));
      const reports = lines.map((line) => JSON.parse(line.slice(MARK.length)) as R);
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
      resolve({ code, result: reports.at(-1) as R, reports, stdout, stderr });
    });
  });
}
