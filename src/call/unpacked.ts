// Reads what src/call/packed.ts writes (docs/ABI.md, clause 66), from words and text that nobody else writes any more. Whatever they are, it
// makes a value of them or throws: every number in them is checked against what there is.

import { PACKED, PACKED_SHIFT } from '../abi/call.js';
import type { TextMemory } from '../host/host.js';

/** The names of a kind of objects, and one of them. */
interface Shape {
  readonly lengths: Int32Array;
  readonly names: readonly string[];
  readonly template: Readonly<Record<string, unknown>>;
}

/** Where the strings are: bytes from `from` to `to`, in units of one byte or two. */
export interface Text {
  readonly memory: TextMemory;
  readonly wide: boolean;
  readonly from: number;
  readonly to: number;
}

/** Shapes that this thread has read, by their names in one piece. */
const shapesKept = new Map<string, Shape>();
const SHAPES_KEPT_MAX = 512;
/**
 * A long piece of a string keeps all of it in memory. So strings are pieces of the whole text only where that is short, or not much longer
 * than they are; the engine copies pieces of fewer than 13 units anyway.
 */
const SHORT_TEXT = 512;
const PIECE = 13;
const MUCH_LONGER = 16;

const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/** @throws RangeError */
export function unpacked(words: Int32Array, text: Text): unknown {
  return new Reading(words, text).value();
}

class Reading {
  readonly #words: Int32Array;
  readonly #from: Text;
  readonly #text: string;
  readonly #shapes: Shape[] = [];
  readonly #objects: object[] = [];
  #at = 0;
  #unit = 0;

  constructor(words: Int32Array, text: Text) {
    const { memory, wide, from, to } = text;
    this.#words = words;
    this.#from = text;
    this.#text = wide ? memory.ucs2Slice(from, to) : memory.latin1Slice(from, to);
  }

  value(): unknown {
    const words = this.#words;
    if (this.#at >= words.length) throw new RangeError('the words end too early');
    const word = words[this.#at++] as number;
    switch (word & ((1 << PACKED_SHIFT) - 1)) {
      case PACKED.string:
        return this.#take(word >>> PACKED_SHIFT);
      case PACKED.integer:
        return word >> PACKED_SHIFT;
      case PACKED.array: {
        const length = word >>> PACKED_SHIFT;
        if (length > words.length - this.#at) throw new RangeError('an array is longer than its words');
        const array: unknown[] = [];
        this.#objects.push(array);
        for (let i = 0; i < length; i++) array.push(this.value());
        return array;
      }
      case PACKED.object:
        return this.#object(word >>> PACKED_SHIFT);
      case PACKED.again: {
        const object = this.#objects[word >>> PACKED_SHIFT];
        if (object === undefined) throw new RangeError('an object is meant that has not come yet');
        return object;
      }
    }
    switch (word) {
      case PACKED.number:
        if (words.length - this.#at < 2) throw new RangeError('a number is cut off');
        halves[0] = words[this.#at++] as number;
        halves[1] = words[this.#at++] as number;
        return double[0];
      case PACKED.null:
        return null;
      case PACKED.true:
        return true;
      case PACKED.false:
        return false;
      case PACKED.undefined:
        return undefined;
    }
    throw new RangeError(`a word is ${word}`);
  }

  #object(number: number): object {
    if (number > this.#shapes.length) throw new RangeError('a shape is meant that has not come yet');
    const { names, template } = this.#shapes[number] ?? this.#shape();
    // Not one by one from an empty object: a setter of Object.prototype would be called.
    const object = { ...template };
    this.#objects.push(object);
    for (let i = 0; i < names.length; i++) object[names[i] as string] = this.value();
    return object;
  }

  #shape(): Shape {
    const words = this.#words;
    const count = words[this.#at++] as number;
    if (!(count >= 0 && count <= words.length - this.#at)) throw new RangeError('a shape is longer than its words');
    const first = this.#at;
    let units = 0;
    for (let i = 0; i < count; i++) units += (words[first + i] as number) >>> 0;
    this.#at += count;
    const joined = this.#take(units);
    let shape = shapesKept.get(joined);
    if (shape === undefined || !sameLengths(shape.lengths, words, first, count)) {
      shape = newShape(joined, words.slice(first, first + count));
      if (shapesKept.size < SHAPES_KEPT_MAX) shapesKept.set(joined, shape);
    }
    this.#shapes.push(shape);
    return shape;
  }

  #take(units: number): string {
    const text = this.#text;
    const first = this.#unit;
    const end = first + units;
    if (end > text.length) throw new RangeError('the text ends too early');
    this.#unit = end;
    if (text.length <= SHORT_TEXT || units < PIECE || text.length <= MUCH_LONGER * units)
      return text.substring(first, end);
    const { memory, wide, from } = this.#from;
    return wide ? memory.ucs2Slice(from + 2 * first, from + 2 * end) : memory.latin1Slice(from + first, from + end);
  }
}

function sameLengths(lengths: Int32Array, words: Int32Array, first: number, count: number): boolean {
  if (lengths.length !== count) return false;
  for (let i = 0; i < count; i++) if (lengths[i] !== words[first + i]) return false;
  return true;
}

function newShape(joined: string, lengths: Int32Array): Shape {
  let unit = 0;
  const names = Array.from(lengths, (length) => {
    unit += length;
    return joined.substring(unit - length, unit);
  });
  const entries = names.map((name) => `${JSON.stringify(name)}:null`);
  const template = JSON.parse(`{${entries.join()}}`) as Record<string, unknown>;
  if (Object.keys(template).length !== names.length) throw new RangeError('a shape has a name twice');
  return { lengths, names, template };
}
