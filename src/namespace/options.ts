// What openNamespace() and open() take, checked before anything changes.

import { invalid } from '../abi/errors.js';
import { graphs } from '../host/graphs.js';
import { process } from '../host/node/builtin.js';
import { BASE, type NamespaceKind, NEW } from './state.js';
import type { NamespaceOptions, OpenOptions, Transform } from './types.js';

const path = process.getBuiltinModule('node:path');

/** Namespaces beside the base, unless `limit` says otherwise. */
export const LIMIT = 16;
const NUMBER_MAX = 4096;

export interface CheckedNamespace {
  readonly id: number;
  readonly kind: NamespaceKind | undefined;
  readonly limit: number;
  readonly reserve: number;
  readonly transform: Transform | undefined;
  /** A file path, of which only the directory counts. */
  readonly from: string | undefined;
}

export interface CheckedOpen {
  readonly specifier: string;
  readonly shared: boolean;
  readonly isolate: boolean;
  readonly noload: boolean;
  readonly from: string;
}

export function checkNamespace(options: NamespaceOptions): CheckedNamespace {
  if (typeof options !== 'object' || options === null) throw invalid('options', options, 'an object');
  const { id = NEW, kind, limit = LIMIT, reserve = 0, transform, from } = options;
  if (!Number.isInteger(id) || id < NEW || id > NUMBER_MAX)
    throw invalid('id', id, `NEW, BASE, or a number up to ${NUMBER_MAX}`);
  if (kind !== undefined && kind !== 'permanent' && kind !== 'closable') {
    throw invalid('kind', kind, "'permanent' or 'closable'");
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > NUMBER_MAX) throw invalid('limit', limit, `1 to ${NUMBER_MAX}`);
  if (!Number.isInteger(reserve) || reserve < 0 || reserve > limit) throw invalid('reserve', reserve, '0 to the limit');
  if (transform !== undefined && typeof transform !== 'function') throw invalid('transform', transform, 'a function');
  if (transform !== undefined && kind !== 'closable') {
    throw invalid('transform', transform, 'none: only a closable namespace needs one');
  }
  return { id, kind, limit, reserve, transform, from: fileFrom(from) };
}

/** A file in the current directory, for specifiers that are to be resolved from there. */
export const programHere = (): string => path.join(process.cwd(), 'program.js');

export function checkOpen(ns: number, specifier: string | URL, options: OpenOptions, usual: string): CheckedOpen {
  if (typeof options !== 'object' || options === null) throw invalid('options', options, 'an object');
  const given = specifier instanceof URL ? specifier.href : specifier;
  if (typeof given !== 'string' || given === '') throw invalid('specifier', specifier, 'a specifier, path or URL');
  if (given.includes('\0')) throw invalid('specifier', given, 'a specifier without NUL');
  for (const name of ['shared', 'isolate', 'noload', 'global'] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== 'boolean') throw invalid(name, value, 'true, false or nothing');
  }
  if (options.global === true && ns !== BASE) {
    throw invalid('global', true, 'nothing outside the base', 'Leave `global` out: only the base has a global scope.');
  }
  const { shared = false, isolate = false, noload = false } = options;
  return {
    specifier: given,
    shared: shared && !isolate && ns !== BASE,
    isolate,
    noload,
    from: fileFrom(options.from) ?? usual,
  };
}

function fileFrom(from: unknown): string | undefined {
  if (from === undefined) return undefined;
  const text = from instanceof URL ? from.href : from;
  if (typeof text !== 'string' || text === '') throw invalid('from', from, 'a path, or a file: URL');
  if (!text.startsWith('file:') && !(from instanceof URL)) return path.resolve(text);
  const at = graphs.pathOf(text);
  if (at === undefined) throw invalid('from', from, 'a path, or a file: URL');
  return at;
}
