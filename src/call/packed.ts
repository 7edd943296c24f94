// Plain data as words and text (docs/ABI.md, clause 66): plain objects and arrays of numbers, strings, booleans, null and undefined. Quicker than
// JSON, since numbers need no digits, the names of like objects' properties are written once, and one call into the runtime writes all
// strings. It is also what a structured clone is where JSON is not. Each property is read once: what an accessor says is what is passed.

import { PACKED, PACKED_SHIFT } from '../abi/call.js';
import { host } from '../host/host.js';

/** Deeper is left to the engine. */
const DEPTH_MAX = 64;
/** Of all words together; longer lists are the engine's. */
const WORDS_MAX = 65_536;
/** Units of text; long strings are copied once less by the engine. */
const UNITS_MAX = 32_768;
/** What the words of any one value but its names fit into. */
const ROOM = 4;
const FIRST_WORDS = 512;
/** Shapes that are compared with an object's; of more, some are written twice. */
const SHAPES_MAX = 16;
/** Up to so many elements, naming them is quicker than fetching them. */
const SHORT = 16;
/** Up to so many objects, looking through them all is quicker than asking a map. */
const FEW = 48;

const { getPrototypeOf, hasOwn, keys, values } = Object;
const { isArray } = Array;
const { isProxy } = host.clone;
const OBJECT = Object.prototype;
const ARRAY = Array.prototype;

export interface Packed {
  /** The first `count` of them; valid until the next list is packed. */
  readonly words: Int32Array;
  readonly count: number;
  /** All strings, one behind the other. */
  readonly text: string;
}

const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

let words = new Int32Array(FIRST_WORDS);
let count = 0;
let text = '';
let shapes: (readonly string[])[] = [];
let objects: object[] = [];
let numbers: Map<object, number> | undefined;
let busy = false;
let freeing = false;

/** The list packed; undefined where that is not the way. Throws what an accessor throws. */
export function packed(list: readonly unknown[]): Packed | undefined {
  // An accessor may make a call of its own.
  if (busy) {
    freeSoon();
    return undefined;
  }
  busy = true;
  count = 0;
  text = '';
  try {
    return put(list, 0) ? { words, count, text } : undefined;
  } finally {
    free();
  }
}

function free(): void {
  busy = false;
  text = '';
  shapes = [];
  objects = [];
  numbers = undefined;
}

/** A vm timeout skips every `finally`: when the event loop turns, nothing is being packed. */
function freeSoon(): void {
  if (freeing) return;
  freeing = true;
  host.soon(() => {
    freeing = false;
    free();
  });
}

/** Makes room for so many words; false where that would be too many. */
function room(more: number): boolean {
  if (count + more <= words.length) return true;
  if (count + more > WORDS_MAX) return false;
  const larger = new Int32Array(Math.min(Math.max(2 * words.length, count + more), WORDS_MAX));
  larger.set(words);
  words = larger;
  return true;
}

function put(value: unknown, depth: number): boolean {
  if (count + ROOM > words.length && !room(ROOM)) return false;
  switch (typeof value) {
    case 'string':
      text += value;
      words[count++] = (value.length << PACKED_SHIFT) | PACKED.string;
      return text.length <= UNITS_MAX;
    case 'number':
      if ((value << PACKED_SHIFT) >> PACKED_SHIFT === value && (value !== 0 || 1 / value > 0)) {
        words[count++] = (value << PACKED_SHIFT) | PACKED.integer;
      } else {
        double[0] = value;
        words[count++] = PACKED.number;
        words[count++] = halves[0] as number;
        words[count++] = halves[1] as number;
      }
      return true;
    case 'boolean':
      words[count++] = value ? PACKED.true : PACKED.false;
      return true;
    case 'undefined':
      words[count++] = PACKED.undefined;
      return true;
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) {
    words[count++] = PACKED.null;
    return true;
  }
  const known = numberOf(value);
  if (known >= 0) {
    words[count++] = (known << PACKED_SHIFT) | PACKED.again;
    return true;
  }
  if (depth > DEPTH_MAX || isProxy(value)) return false;
  const prototype: unknown = getPrototypeOf(value);
  if (isArray(value)) return prototype === ARRAY && putArray(value, depth);
  return (prototype === OBJECT || prototype === null) && putObject(value as Record<string, unknown>, depth);
}

function putArray(array: readonly unknown[], depth: number): boolean {
  const { length } = array;
  if (length > WORDS_MAX - count) return false;
  // Fewer: there are holes. More: it has properties that are no elements. As many: either none of both, or a hole for each of those.
  if ((length <= SHORT ? keys(array) : values(array)).length !== length) return false;
  words[count++] = (length << PACKED_SHIFT) | PACKED.array;
  for (let i = 0; i < length; i++) {
    const value = array[i];
    if ((value === undefined && !hasOwn(array, i)) || !put(value, depth + 1)) return false;
  }
  return true;
}

function putObject(object: Record<string | symbol, unknown>, depth: number): boolean {
  // The objects with tags and iterators whose prototype is the plain one are namespaces, `Math` and the like, and `arguments`.
  if (object[Symbol.toStringTag] !== undefined || object[Symbol.iterator] !== undefined) return false;
  const names = keys(object);
  const { length } = names;
  if (!room(length + ROOM)) return false;
  const shape = shapeOf(names);
  words[count++] = (shape << PACKED_SHIFT) | PACKED.object;
  if (shape === shapes.length) {
    words[count++] = length;
    for (let i = 0; i < length; i++) {
      const name = names[i] as string;
      text += name;
      words[count++] = name.length;
    }
    shapes.push(names);
  }
  // Names and values by themselves, since this loop fetches properties in half of the time; it also meets inherited ones.
  let i = 0;
  for (const name in object) if (name !== names[i++] || !put(object[name], depth + 1)) return false;
  return i === length;
}

/** The number of a shape that was written before, or of the next one. */
function shapeOf(names: readonly string[]): number {
  const { length } = names;
  const first = Math.max(0, shapes.length - SHAPES_MAX);
  search: for (let k = shapes.length - 1; k >= first; k--) {
    const shape = shapes[k] as readonly string[];
    if (shape.length !== length) continue;
    for (let i = 0; i < length; i++) if (shape[i] !== names[i]) continue search;
    return k;
  }
  return shapes.length;
}

/** The number of an object that was met before; -1 of one that was not, which has the next number from then on. */
function numberOf(value: object): number {
  const next = numbers === undefined ? objects.length : numbers.size;
  if (numbers !== undefined) {
    const number = numbers.get(value);
    if (number !== undefined) return number;
    numbers.set(value, next);
    return -1;
  }
  for (let k = 0; k < next; k++) if (objects[k] === value) return k;
  objects.push(value);
  if (next === FEW) numbers = new Map(objects.map((object, k) => [object, k]));
  return -1;
}
