// Small protocols to explore, right and wrong ones. Each function is whole: only its source text reaches the explored threads.

import type { ExploreContext, ExploreOptions } from 'coexist/explore';

/** Word 0: the lock (0 free, 1 locked, 2 locked with waiters); word 1: what it protects. */
export function mutex({ i32 }: ExploreContext): void {
  if (Atomics.compareExchange(i32, 0, 0, 1) !== 0) {
    while (Atomics.exchange(i32, 0, 2) !== 0) Atomics.wait(i32, 0, 2);
  }
  Atomics.store(i32, 1, Atomics.load(i32, 1) + 1);
  if (Atomics.exchange(i32, 0, 0) === 2) Atomics.notify(i32, 0, 1);
}

export function lostUpdate({ i32 }: ExploreContext): void {
  Atomics.store(i32, 0, Atomics.load(i32, 0) + 1);
}

export function checkThenSet({ i32 }: ExploreContext): void {
  while (Atomics.load(i32, 0) !== 0) Atomics.wait(i32, 0, 1);
  Atomics.store(i32, 0, 1);
  if (Atomics.add(i32, 1, 1) !== 0) throw new Error('two threads hold the lock');
  Atomics.sub(i32, 1, 1);
  Atomics.store(i32, 0, 0);
  Atomics.notify(i32, 0);
}

/** Thread 0 waits for a flag in word 0 on word 1, which is not what it has looked at. */
export function lostWakeUp({ i32, index }: ExploreContext): void {
  if (index === 0) {
    if (Atomics.load(i32, 0) === 0) Atomics.wait(i32, 1, 0);
  } else {
    Atomics.store(i32, 0, 1);
    Atomics.notify(i32, 1);
  }
}

/**
 * A stack of nodes 1 and 2; word 0 is the head, word n the next of node n. Thread 0 pops; thread 1 pops both and pushes the
 * first back: the compareExchange of thread 0 sees the head it knows, and installs a node that is not in the stack.
 */
export function aba({ i32, index }: ExploreContext): void {
  const pop = (): number => {
    for (;;) {
      const head = Atomics.load(i32, 0);
      if (head === 0) return 0;
      const next = Atomics.load(i32, head);
      if (Atomics.compareExchange(i32, 0, head, next) === head) return head;
    }
  };
  const push = (node: number): void => {
    for (;;) {
      const head = Atomics.load(i32, 0);
      Atomics.store(i32, node, head);
      if (Atomics.compareExchange(i32, 0, head, node) === head) return;
    }
  };
  if (index === 0) {
    const got = pop();
    if (got !== 0) Atomics.add(i32, 2 + got, 1);
    return;
  }
  const first = pop();
  const second = pop();
  if (second !== 0) Atomics.add(i32, 2 + second, 1);
  if (first !== 0) push(first);
}

export const abaProgram: ExploreOptions = {
  threads: [aba, aba],
  setup: ({ i32 }) => {
    i32[0] = 1;
    i32[1] = 2;
  },
  // Words 3 and 4 count how often node 1 and 2 were taken for good; what is taken is not in the stack.
  after: ({ i32 }) => {
    for (let node = i32[0] as number; node !== 0; node = i32[node] as number) {
      if (i32[2 + node] !== 0) throw new Error(`node ${node} was taken, and is in the stack`);
    }
  },
};

export function lockOrder({ i32, index }: ExploreContext): void {
  const [first, second] = index === 0 ? [0, 1] : [1, 0];
  for (const k of [first, second])
    while (Atomics.exchange(i32, k as number, 1) !== 0) Atomics.wait(i32, k as number, 1);
  for (const k of [second, first]) {
    Atomics.store(i32, k as number, 0);
    Atomics.notify(i32, k as number, 1);
  }
}

/** Found only where both threads are interrupted at the right places: three preemptions. */
export function threePreemptions({ i32, index }: ExploreContext): void {
  if (index === 0) {
    Atomics.store(i32, 0, 1);
    Atomics.store(i32, 0, 2);
    Atomics.store(i32, 0, 3);
    return;
  }
  const first = Atomics.load(i32, 0);
  const second = Atomics.load(i32, 0);
  if (first === 1 && second === 2) throw new Error('both steps were seen');
}

export const twice = (thread: NonNullable<ExploreOptions['threads']>[number]) => [thread, thread];
export const thrice = (thread: NonNullable<ExploreOptions['threads']>[number]) => [thread, thread, thread];
