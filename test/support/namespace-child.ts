// Steps on namespaces, each in a process of its own: what a namespace loads is never the test's.

import { expect } from 'vitest';
import type * as library from '../../src/namespace.js';
import { type ChildContext, type ChildStep, inChild } from './child.js';
import { copyUrl } from './copies.js';

export interface NamespaceTools extends ChildContext {
  readonly lib: typeof library;
  /** The code of the error that this throws or rejects with, its text where it has none; 'none' where it does not. */
  codeOf(run: () => unknown): Promise<string>;
  /** File names of packages' modules that were evaluated so far, with the namespace where that is not the base: `name` or `1:name`. */
  evaluated(): string[];
}

async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return 'none';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

function evaluatedIn({ namespaceOf }: typeof library): string[] {
  return ((globalThis as { evaluated?: string[] }).evaluated ?? []).map((place) => {
    const [, name] = /node_modules\/([^/]+)\/index/.exec(place) ?? [];
    const ns = namespaceOf(place);
    return ns === 0 ? `${name}` : `${ns}:${name}`;
  });
}

/** Runs a step in a new process; it sees nothing of the test but its tools and arguments. */
export async function withNamespaces<R, A = undefined>(
  step: (tools: NamespaceTools, args: A) => R | Promise<R>,
  args?: A,
): Promise<R> {
  const text = `async (context, { url, args }) => {
    const lib = await context.load(url);
    const tools = { ...context, lib, codeOf: ${codeOf}, evaluated: () => (${evaluatedIn})(lib) };
    return (${step})(tools, args);
  }`;
  const given = { url: copyUrl('a', 'namespace.js'), args };
  const { result, code, stderr } = await inChild(text as unknown as ChildStep<typeof given, R>, given);
  expect(code, stderr).toBe(0);
  return result;
}
