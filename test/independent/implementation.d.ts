// Types of implementation.js, as far as the tests use them.

interface IndependentRow {
  slot: number;
  generation: number;
  owner: bigint;
  threadId: number;
  cpuId: number;
  refcount: number;
  holders: string[];
  registeredTotal: number;
}

export interface IndependentArea {
  id: number;
  buffer: SharedArrayBuffer;
  memory?: { readonly buffer: SharedArrayBuffer };
  inspect(): IndependentRow[];
  reclaim(): number;
}

export interface IndependentRegistration {
  slot: number;
  generation: number;
  permanent: boolean;
  cpuId(): number;
  unregister(): void;
}

export function attach(): IndependentArea;
export function open(memory: unknown): IndependentArea;
export function register(options?: {
  name?: string;
  permanent?: boolean;
  area?: IndependentArea;
}): IndependentRegistration;
export function reclaim(area?: IndependentArea): number;
export function inspect(area?: IndependentArea): IndependentRow[];
export function lookup(
  area: IndependentArea | undefined,
  request: { name: string; kind: number | string; version?: number; size?: number; flags?: number },
): { index: number; offset: number; size: number };
export function counter(
  name: string,
  area?: IndependentArea,
): { add(n?: number): void; sum(): bigint; dispose(): void };
export function liveness(identity: bigint): 'alive' | 'dead' | 'unknown';
export function identity(): bigint;
