// JSON text of a list, where JSON gives back exactly what a structured clone would: plain objects and arrays without holes, of finite
// numbers but -0, strings, booleans and null, none of them twice (clause 66). Text and check in one walk, so that each property is read
// once: JSON.stringify would read it again, and an accessor could then say something else.

import { host } from '../host/host.js';

/** Deeper is left to the engine. */
const DEPTH_MAX = 64;
/** Units of text, and as many for each value: longer lists cost the engine's serialiser less. */
const BUDGET = 8192;
/** Up to so many objects, looking through a list for a repeated one is quicker than asking a set. */
const FEW = 24;
const KEYS_MAX = 1024;
const KEY_LENGTH_MAX = 64;

const { getPrototypeOf, keys } = Object;
const { isArray } = Array;
const { isProxy } = host.clone;
const OBJECT = Object.prototype;
const ARRAY = Array.prototype;
/** What JSON writes otherwise than it is. */
const ESCAPED = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/** Names of properties as they are written, with the colon. */
const names = new Map<string, string>();

let left = 0;
let few: object[] = [];
let many: Set<object> | undefined;

/** The text; undefined where JSON is not the way. Throws what an accessor throws. */
export function jsonOf(list: readonly unknown[]): string | undefined {
  // An accessor may make a call of its own.
  const outer = { left, few, many };
  left = BUDGET;
  few = [];
  many = undefined;
  try {
    return textOf(list, 0);
  } finally {
    ({ left, few, many } = outer);
  }
}

function textOf(value: unknown, depth: number): string | undefined {
  if (--left < 0) return undefined;
  switch (typeof value) {
    case 'string':
      left -= value.length;
      return left < 0 ? undefined : ESCAPED.test(value) ? JSON.stringify(value) : `"${value}"`;
    case 'number':
      // NaN and the infinities less themselves are NaN.
      return value - value === 0 && (value !== 0 || 1 / value > 0) ? `${value}` : undefined;
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      break;
    default:
      return undefined;
  }
  if (value === null) return 'null';
  if (depth > DEPTH_MAX || isProxy(value) || repeated(value)) return undefined;
  const prototype: unknown = getPrototypeOf(value);
  if (prototype === ARRAY && isArray(value)) return arrayText(value, depth);
  return prototype === OBJECT || prototype === null ? objectText(value as Record<string, unknown>, depth) : undefined;
}

function arrayText(array: readonly unknown[], depth: number): string | undefined {
  // Fewer names: there are holes. More: there are others than indices.
  if (array.length > left || keys(array).length !== array.length) return undefined;
  let text = '[';
  for (let i = 0; i < array.length; i++) {
    const part = textOf(array[i], depth + 1);
    if (part === undefined) return undefined;
    text += i === 0 ? part : `,${part}`;
  }
  return `${text}]`;
}

function objectText(object: Record<string | symbol, unknown>, depth: number): string | undefined {
  // The objects with tags and iterators whose prototype is the plain one are namespaces, `Math` and the like, and `arguments`.
  if (object[Symbol.toStringTag] !== undefined || object[Symbol.iterator] !== undefined) return undefined;
  let text = '{';
  for (const key of keys(object)) {
    const part = textOf(object[key], depth + 1);
    if (part === undefined) return undefined;
    text += text.length === 1 ? nameText(key) + part : `,${nameText(key)}${part}`;
  }
  return `${text}}`;
}

function nameText(key: string): string {
  const known = names.get(key);
  if (known !== undefined) {
    left -= known.length;
    return known;
  }
  const text = `${JSON.stringify(key)}:`;
  if (key.length <= KEY_LENGTH_MAX && names.size < KEYS_MAX) names.set(key, text);
  left -= text.length;
  return text;
}

function repeated(value: object): boolean {
  if (many !== undefined) {
    if (many.has(value)) return true;
    many.add(value);
    return false;
  }
  if (few.includes(value)) return true;
  few.push(value);
  if (few.length > FEW) many = new Set(few);
  return false;
}
