// Canonical JSON (RFC 8785): one text for one value, so that a hash of it names the value. Properties are in the order of their UTF-16
// units; strings and numbers are as ECMAScript prints them, which is what the RFC refers to. What JSON would drop or change is refused.

import { invalid } from '../abi/errors.js';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

const REMEDY = 'Pass what JSON can say: strings, finite numbers, booleans, null, arrays and plain objects.';

/**
 * The text of a value; `place` names it in messages.
 * @throws COEXIST_EINVAL naming the place of what is not JSON
 */
export function canonical(value: unknown, place = 'value'): string {
  return textOf(value, place, new Set());
}

function textOf(value: unknown, place: string, around: Set<object>): string {
  switch (typeof value) {
    case 'boolean':
      return String(value);
    case 'string':
      return quoted(value, place);
    case 'number':
      if (!Number.isFinite(value)) throw invalid(place, value, 'a finite number', REMEDY);
      return JSON.stringify(value);
    case 'object':
      return value === null ? 'null' : objectText(value, place, around);
    default:
      throw invalid(place, value, 'JSON', REMEDY);
  }
}

/** @throws COEXIST_EINVAL for a lone surrogate, which UTF-8 has no bytes for */
function quoted(text: string, place: string): string {
  const lone = /\p{Cs}/u.exec(text);
  if (lone === null) return JSON.stringify(text);
  throw invalid(place, `${JSON.stringify(text)} with a lone surrogate at ${lone.index}`, 'whole characters', REMEDY);
}

function objectText(value: object, place: string, around: Set<object>): string {
  if (around.has(value)) throw invalid(place, value, 'no object that it is itself in', REMEDY);
  around.add(value);
  const text = Array.isArray(value) ? arrayText(value, place, around) : recordText(value, place, around);
  around.delete(value);
  return text;
}

function arrayText(value: readonly unknown[], place: string, around: Set<object>): string {
  // A hole reads as undefined, which is refused.
  return `[${Array.from(value, (item, k) => textOf(item, `${place}[${k}]`, around)).join(',')}]`;
}

function recordText(value: object, place: string, around: Set<object>): string {
  if (!isPlain(value)) throw invalid(place, value, 'a plain object', REMEDY);
  const symbol = Object.getOwnPropertySymbols(value)[0];
  if (symbol !== undefined)
    throw invalid(place, `an object with the property ${String(symbol)}`, 'names that are strings', REMEDY);
  // The default order is that of UTF-16 units.
  const properties = Object.keys(value).sort();
  const texts = properties.map((name) => {
    const at = `${place}.${name}`;
    return `${quoted(name, `the name of ${at}`)}:${textOf((value as Record<string, unknown>)[name], at, around)}`;
  });
  return `{${texts.join(',')}}`;
}

/** Of any realm: its prototype is one that has none itself, and is what `Object` is there. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  return (
    typeof prototype === 'object' &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  );
}
