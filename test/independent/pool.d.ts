// Types of pool.js, as far as the tests use them.

export function pool(
  name: string,
  options: {
    readonly area: unknown;
    readonly index?: 'cpu' | 'slot';
    readonly item: number;
    readonly items: number;
    readonly poison?: number;
  },
): {
  readonly count: number;
  readonly stride: number;
  alloc(init?: Uint8Array): number;
  free(item: number): void;
  allocated(): { item: number; owner: bigint }[];
  freeDead(): number;
};
