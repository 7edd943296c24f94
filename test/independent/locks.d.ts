// Types of locks.js, as far as the tests use them.

type Memory = SharedArrayBuffer | { readonly buffer: ArrayBufferLike };

interface Limits {
  timeout?: number;
  signal?: AbortSignal;
}

interface Guard {
  readonly ownerDied: boolean;
  markConsistent(): void;
  unlock(): void;
}

export interface IndependentMutex {
  lock(options?: Limits): Guard;
  lockAsync(options?: Limits): Promise<Guard>;
  tryLock(): Guard | undefined;
  unlock(): void;
}
export function mutex(memory: Memory, base?: number): IndependentMutex;

interface OnceState {
  readonly ownerDied: boolean;
}
interface OnceOptions extends Limits {
  force?: boolean;
}
export function once(
  memory: Memory,
  base?: number,
): {
  call(initialise: (state: OnceState) => void, options?: OnceOptions): boolean;
  callAsync(initialise: (state: OnceState) => void, options?: OnceOptions): Promise<boolean>;
};

interface Notified {
  readonly notified: boolean;
  readonly guard: Guard;
}
export function condvar(
  memory: Memory,
  base?: number,
): {
  wait(mutex: IndependentMutex, guard: { unlock(): void }, options?: Limits): Notified;
  waitAsync(mutex: IndependentMutex, guard: { unlock(): void }, options?: Limits): Promise<Notified>;
  notify(n?: number): void;
  notifyAll(): void;
  waiters(): number;
};

interface RwGuard {
  readonly writing: boolean;
  readonly ownerDied: boolean;
  readonly readersDied?: number;
  markConsistent?(): void;
  unlock(): void;
}
export function rwlock(
  memory: Memory,
  base: number,
  holders: number,
): {
  read(options?: Limits): RwGuard;
  readAsync(options?: Limits): Promise<RwGuard>;
  write(options?: Limits): RwGuard;
  writeAsync(options?: Limits): Promise<RwGuard>;
};

interface Permits {
  readonly ownerDied: boolean;
  release(): void;
  forget(): void;
}
export function semaphore(
  memory: Memory,
  base: number,
  holders: number,
  permits: number,
): {
  acquire(n?: number, options?: Limits): Permits;
  acquireAsync(n?: number, options?: Limits): Promise<Permits>;
  release(n?: number): void;
  available(): number;
};

export function barrier(
  memory: Memory,
  base: number,
  holders: number,
  parties: number,
): {
  wait(options?: Limits): boolean;
  waitAsync(options?: Limits): Promise<boolean>;
  leave(): void;
  broken(): boolean;
};
