// The order in which the JavaScript twin writes an area: wrappers around Atomics take down each effective write by the name of
// its field, with the thread anchor as it is at that moment.

import { vi } from 'vitest';
import { bytesOf } from './area-bytes.js';
import { threadAnchor } from './threads.js';

export interface Write {
  /** As in `slot[0].owner`. */
  readonly field: string;
  readonly value: number | bigint;
  /** Words 0 and 1 of the thread anchor, if there is one. */
  readonly anchor: readonly (number | undefined)[];
}

type Operation = (array: Int32Array, index: number, ...values: number[]) => number;

export function writesOf(
  area: { readonly id: number; readonly buffer: SharedArrayBuffer },
  step: () => unknown,
): Write[] {
  const bytes = bytesOf(area);
  const writes: Write[] = [];
  const record = (
    name: 'store' | 'compareExchange' | 'notify',
    effective: (values: number[], result: number) => boolean,
  ) => {
    const original = Atomics[name] as Operation;
    return vi.spyOn(Atomics, name as 'store').mockImplementation(((
      array: Int32Array,
      index: number,
      ...values: number[]
    ) => {
      const result = original.call(Atomics, array, index, ...values);
      if (array.buffer === (area.buffer as unknown) && effective(values, result)) {
        const field = bytes.nameOf(array.byteOffset + index * array.BYTES_PER_ELEMENT);
        const anchor = threadAnchor(area);
        writes.push({
          field: name === 'notify' ? `wake ${field}` : field,
          value: values.at(-1) ?? 0,
          anchor: [anchor?.[0], anchor?.[1]],
        });
      }
      return result;
    }) as never);
  };
  const spies = [
    record('store', () => true),
    record('compareExchange', ([expected], result) => result === expected),
    record('notify', () => true),
  ];
  try {
    step();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return writes;
}

/** As `field = value`, for comparison. */
export const lines = (writes: readonly Write[]): string[] => writes.map(({ field, value }) => `${field} = ${value}`);
