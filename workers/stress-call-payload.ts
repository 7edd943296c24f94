// What is passed in the stress run on calls: values of every encoding and of sizes from a number to several parts, made from a number, so
// that whoever made one can say whether what came back is that.

import type { Random } from './stress-random.js';

/** Names of the makers; each says how to make a value of a number, and which. */
const MAKERS = {
  nothing: () => undefined,
  number: (n: number) => n / 7,
  short: (n: number) => `call ${n}`,
  wide: (n: number) => `Anruf ${n} ☎ `.repeat(1 + (n % 9)),
  long: (n: number) => `${n} `.repeat(300 + (n % 500)),
  object: (n: number) => ({ n, list: [n, -n, null, true], inner: { text: `number ${n}`, deep: { n } } }),
  elements: (n: number) => Float64Array.from({ length: 1 + (n % 97) }, (_, k) => n + k),
  parts: (n: number) => Uint32Array.from({ length: 200 + (n % 400) }, (_, k) => n ^ k),
  engine: (n: number) =>
    new Map<unknown, unknown>([
      [n, new Set([n, `${n}`])],
      ['at', new Date(n)],
    ]),
  big: (n: number) => [BigInt(n), -(2n ** 70n)],
} as const;
export type PayloadKind = keyof typeof MAKERS;
const WEIGHTS: Readonly<Record<PayloadKind, number>> = {
  nothing: 10,
  number: 40,
  short: 15,
  wide: 8,
  long: 5,
  object: 10,
  elements: 6,
  parts: 4,
  engine: 4,
  big: 2,
};

export const pickKind = (random: Random): PayloadKind => random.weighted(WEIGHTS);
export const make = (kind: PayloadKind, n: number): unknown => MAKERS[kind](n);

/** A value as text, for comparing; the same for what structured clone makes of it. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    if (part instanceof Map) return { map: [...part] };
    if (part instanceof Set) return { set: [...part] };
    if (part === undefined) return 'undefined';
    if (ArrayBuffer.isView(part)) return { [part.constructor.name]: [...(part as Float64Array)] };
    return part;
  });
}
