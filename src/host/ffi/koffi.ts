// koffi, the optional peer. Loading its package costs a thread 8 ms, nearly all of it JavaScript around one native file, so that file is
// loaded by itself (1 ms) where it lies as koffi's own loader expects it, beside the package; otherwise the package is.
// It is looked for as Node looks for packages: upward from this library, from the program, from the current folder.

import { fs, process } from '../node/builtin.js';
import { type Ffi, messageOf } from '../rseq-area.js';

/** What is used of koffi 3. */
interface Koffi {
  load(path: null): {
    func(prototype: string): (...args: unknown[]) => unknown;
    symbol(name: string, type: string): unknown;
  };
  decode(pointer: unknown, type: string): number | bigint;
  view(pointer: bigint, bytes: number): ArrayBuffer;
}

// Held from the start, as in proc.ts: what a program later puts into node:fs is not the disk.
const { existsSync, realpathSync } = fs;

/** Says why there is none where it cannot be had. */
export function openKoffi(): Ffi | string {
  const { dirname, join } = process.getBuiltinModule('node:path');
  const folder = packageFolder(dirname, join);
  if (folder === undefined && !resolvesOtherwise()) return 'koffi is not installed';
  let problem = '';
  if (folder !== undefined && usualLinux()) {
    const name = `${process.platform}-${process.arch}`;
    const file = join(
      dirname(folder),
      '@koromix',
      `koffi-${name}`,
      `${process.platform}_${process.arch}`,
      'koffi.node',
    );
    if (existsSync(file)) {
      try {
        const module = { exports: {} };
        process.dlopen(module, file);
        return ffiOf(module.exports as Koffi);
      } catch (error) {
        // What refuses this file (the permission model, --no-addons) refuses the package too.
        if ((error as NodeJS.ErrnoException).code === 'ERR_DLOPEN_DISABLED')
          return `koffi is refused: ${messageOf(error)}`;
        problem = ` (${messageOf(error)})`;
      }
    }
  }
  try {
    const { createRequire } = process.getBuiltinModule('node:module');
    return ffiOf(createRequire(join(folder ?? ownFolder(), 'package.json'))('koffi') as Koffi);
  } catch (error) {
    return `koffi does not load: ${messageOf(error)}${problem}`;
  }
}

function ffiOf(koffi: Koffi): Ffi {
  const lib = koffi.load(null);
  const found = <T>(look: () => T): T | undefined => {
    try {
      return look();
    } catch {
      return undefined;
    }
  };
  const number = (name: string, type: string) => found(() => koffi.decode(lib.symbol(name, type), type));
  const offset = number('__rseq_offset', 'intptr_t');
  const size = number('__rseq_size', 'uint32_t');
  return {
    name: 'koffi',
    schedGetCpu: found(() => lib.func('int sched_getcpu()') as () => number),
    threadPointer: () => BigInt(lib.func('uintptr_t pthread_self()')() as number | bigint),
    rseqOffset: offset === undefined ? undefined : BigInt(offset),
    rseqSize: size === undefined ? undefined : Number(size),
    view: (address, bytes) => koffi.view(address, bytes),
  };
}

/** koffi has a file for glibc and one for musl, and looks into the binary of Node for which; where only glibc can be meant, nobody need. */
function usualLinux(): boolean {
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string];
  return process.platform === 'linux' && machine !== undefined && !existsSync(`/lib/ld-musl-${machine}.so.1`);
}

/** Ways to find packages that a walk through the folders does not know. */
function resolvesOtherwise(): boolean {
  return process.versions['pnp'] !== undefined || !!process.env['NODE_PATH'];
}

/** The folder of the library; the current one where a bundler has left no trace of it. */
function ownFolder(): string {
  return (import.meta as { dirname?: string } | undefined)?.dirname ?? process.cwd();
}

function packageFolder(dirname: (path: string) => string, join: (...parts: string[]) => string): string | undefined {
  const seen = new Set<string>();
  // The program's file may be a word like "[eval]" instead; the walk from it ends at once.
  for (const start of [ownFolder(), dirname(process.argv[1] ?? '.'), process.cwd()]) {
    for (let folder = start; !seen.has(folder); folder = dirname(folder)) {
      seen.add(folder);
      const candidate = join(folder, 'node_modules/koffi');
      // Where a package manager has linked it, what belongs to it lies beside the true place.
      if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
    }
  }
  return undefined;
}
