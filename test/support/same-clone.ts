// Whether one value is what another is, as far as a structured clone can tell: prototypes, properties with their order and attributes,
// what objects hold inside, and which objects are the same one. Returns where they differ.

const brandOf = (value: unknown): string => Object.prototype.toString.call(value);

/** The first difference, as a path and what was found there; undefined if there is none. */
export function difference(actual: unknown, expected: unknown): string | undefined {
  // Each object of one side stands for one of the other.
  const pairs = new Map<object, object>();
  const taken = new Set<object>();
  const open: [unknown, unknown, string][] = [[actual, expected, 'value']];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [a, b, path] = next;
    if (typeof b !== 'object' || b === null || typeof a !== 'object' || a === null) {
      if (!Object.is(a, b)) return `${path} is ${brief(a)}, expected ${brief(b)}`;
      continue;
    }
    if (pairs.has(b) || taken.has(a)) {
      if (pairs.get(b) !== a) return `${path} is not the same object as where it was first found`;
      continue;
    }
    pairs.set(b, a);
    taken.add(a);
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b))
      return `${path} has another prototype: ${brief(a)}, ${brief(b)}`;
    if (brandOf(a) !== brandOf(b)) return `${path} is ${brandOf(a)}, expected ${brandOf(b)}`;
    const inside = insideOf(b);
    const found = insideOf(a);
    if (inside.length !== found.length) return `${path} holds ${found.length} things, expected ${inside.length}`;
    for (const [k, [name, value]] of inside.entries()) {
      open.push([(found[k] as [string, unknown])[1], value, `${path}<${name}>`]);
    }
    if (ArrayBuffer.isView(b)) continue;
    const keys = Reflect.ownKeys(b);
    const others = Reflect.ownKeys(a);
    if (keys.length !== others.length || keys.some((key, k) => key !== others[k])) {
      return `${path} has the properties ${others.map(String).join(', ')}, expected ${keys.map(String).join(', ')}`;
    }
    for (const key of keys) {
      const [one, other] = [a, b].map((from) => Object.getOwnPropertyDescriptor(from, key) as PropertyDescriptor) as [
        PropertyDescriptor,
        PropertyDescriptor,
      ];
      for (const attribute of ['enumerable', 'configurable', 'writable'] as const) {
        if (one[attribute] !== other[attribute]) return `${path}.${String(key)} is ${attribute}: ${one[attribute]}`;
      }
      open.push([Reflect.get(a, key), Reflect.get(b, key), `${path}.${String(key)}`]);
    }
  }
  return undefined;
}

/** What an object holds that is no property, in order. */
function insideOf(value: object): [string, unknown][] {
  switch (brandOf(value)) {
    case '[object Map]':
      return [...Map.prototype.entries.call(value)].flatMap(([key, of], k) => [
        [`key ${k}`, key],
        [`entry ${k}`, of],
      ]);
    case '[object Set]':
      return [...Set.prototype.values.call(value)].map((of, k) => [`element ${k}`, of]);
    case '[object Date]':
      return [['time', (value as Date).getTime()]];
    case '[object RegExp]':
      return [
        ['source', (value as RegExp).source],
        ['flags', (value as RegExp).flags],
      ];
    case '[object Boolean]':
    case '[object Number]':
    case '[object String]':
    case '[object BigInt]':
      return [['primitive', value.valueOf()]];
    case '[object ArrayBuffer]': {
      const { resizable, maxByteLength } = value as ArrayBuffer & { resizable?: boolean; maxByteLength?: number };
      return [
        ['bytes', Buffer.from(value as ArrayBuffer).toString('latin1')],
        ['resizable', resizable],
        ['most bytes', maxByteLength],
      ];
    }
    case '[object SharedArrayBuffer]':
      return [['memory', memoryOf(value as SharedArrayBuffer)]];
    case '[object WebAssembly.Memory]':
      return [['memory', memoryOf((value as { buffer: SharedArrayBuffer }).buffer)]];
    case '[object WebAssembly.Module]':
      return [['exports', JSON.stringify(exportsOf(value))]];
    case '[object Blob]':
      return [
        ['size', (value as Blob).size],
        ['type', (value as Blob).type],
      ];
  }
  if (!ArrayBuffer.isView(value)) return [];
  return [
    ['buffer', value.buffer],
    ['offset', value.byteOffset],
    ['bytes', value.byteLength],
  ];
}

const { exports: exportsOf } = WebAssembly.Module as unknown as { exports(module: object): unknown };

let marks = 0;
const known = new Map<number, object>();

/** A mark in the first word of shared memory: the same for all that share it. */
function memoryOf(buffer: SharedArrayBuffer): string {
  const word = new Int32Array(buffer, 0, 1);
  if (!known.has(word[0] as number)) {
    word[0] = 0x5a000000 + ++marks;
    known.set(word[0], buffer);
  }
  return `${word[0]} of ${buffer.byteLength}`;
}

function brief(value: unknown): string {
  return typeof value === 'object' && value !== null ? brandOf(value) : `${typeof value} ${String(value).slice(0, 80)}`;
}
