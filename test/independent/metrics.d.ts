// Types of metrics.js, as far as the tests use them.

import type { IndependentArea } from './implementation.js';

export function histogram(
  name: string,
  options?: { buckets?: number; precision?: number },
  area?: IndependentArea,
): { record(value: number): void; counts(): bigint[]; dispose(): void };
export function gauge(
  name: string,
  area?: IndependentArea,
): {
  set(value: number): void;
  values(): { slot: number; generation: number; value: number }[];
  dispose(): void;
};
