// Runs workers/program.ts in a process of its own and waits, bounded, until that has ended by itself.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Body } from '../../workers/program.js';
import { copyUrl } from './copies.js';

const BOUND_MS = 25_000;

export interface ProgramOptions<A> {
  readonly args?: A;
  /** Node's own flags. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended<R> {
  readonly result: R;
  readonly stderr: string;
}

/** Settings of the process that runs the tests, which a program must not inherit. */
const CLEARED = /^(COEXIST_(?!NO_WASM$)|NODE_|VITEST)/;

/** Rejects unless the process returns a result and then ends by itself with code 0. */
export async function program<R, A = undefined>(
  body: Body<A, R>,
  { args, flags = [], env = {} }: ProgramOptions<A> = {},
): Promise<Ended<R>> {
  const start = { source: String(body), args, urls: { a: copyUrl('a'), b: copyUrl('b') } };
  const file = fileURLToPath(new URL('../../build/workers/program.js', import.meta.url));
  const { stdout, stderr } = await runNode([...flags, file, JSON.stringify(start)], env);
  return { result: (JSON.parse(stdout) as { result: R }).result, stderr };
}

/** Runs this Node; rejects, with what it printed, unless it ends by itself with code 0 within the bound. */
export function runNode(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const inherited = Object.entries(process.env).filter(([name]) => !CLEARED.test(name));
  const child = spawn(process.execPath, args, {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: BOUND_MS,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`ended with ${signal ?? `code ${code}`}\n${output.stdout}\n${output.stderr}`));
    });
  });
}

/** Node's flags for the permission model, which refuses the inspector, with leave to read files and start workers. */
export const permissionFlags: readonly string[] = [
  process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission',
  '--allow-worker',
  '--allow-fs-read=*',
];
