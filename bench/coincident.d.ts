// What the bench uses of the package coincident, which has no types of its own.

declare module 'coincident/main' {
  import type { Worker as NodeWorker, WorkerOptions } from 'node:worker_threads';

  type Proxied = Record<string, (n: number) => unknown>;
  interface ProxiedWorker extends NodeWorker {
    readonly proxy: Proxied;
  }
  export default function coincident(options: { readonly transfer: boolean }): {
    readonly Worker: new (url: URL, options: WorkerOptions) => ProxiedWorker;
  };
}

declare module 'coincident/worker' {
  export default function coincident(options: {
    readonly minByteLength: number;
    readonly transfer: boolean;
  }): Promise<{ readonly proxy: Record<string, (n: number) => unknown> }>;
}
