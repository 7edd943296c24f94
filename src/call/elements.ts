// Typed arrays as their elements (docs/ABI.md, clause 66).

const TYPES = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;

const NUMBERS: ReadonlyMap<string, number> = new Map(TYPES.map((type, number) => [type.name, number]));

// The tag says the type in every realm, and under every subclass.
const { get: tagOf } = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
) as {
  get(): string | undefined;
};

/** A typed array of this type on all of these bytes; undefined where there is no such type, or half an element. */
export function elementsOf(number: number, bytes: Uint8Array<ArrayBuffer>): ArrayBufferView | undefined {
  const type = TYPES[number];
  return type === undefined || bytes.length % type.BYTES_PER_ELEMENT !== 0 ? undefined : new type(bytes.buffer);
}

/**
 * The number of its type; -1 where its elements are not enough: of no such type (DataView, newer ones), or not all of its buffer, which
 * a structured clone brings along.
 */
export function elementType(view: ArrayBufferView): number {
  const { buffer, byteLength } = view;
  const whole =
    byteLength > 0 &&
    byteLength === buffer.byteLength &&
    Object.prototype.toString.call(buffer) === '[object ArrayBuffer]' &&
    (buffer as ArrayBuffer & { resizable?: boolean }).resizable !== true;
  return whole ? (NUMBERS.get(tagOf.call(view) ?? '') ?? -1) : -1;
}
