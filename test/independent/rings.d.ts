// Types of rings.js, as far as the tests use them.

import type { IndependentArea } from './implementation.js';

export function ring(
  name: string,
  options?: { capacity?: number; overwrite?: boolean; writes?: boolean },
  area?: IndependentArea,
): {
  slot: number | undefined;
  write(content: Uint8Array): boolean;
  take(): { slot: number; generation: number; sequence: number; bytes: Uint8Array }[];
  books(slot: number): [bigint, bigint];
  dispose(): void;
};
