// What every way to call C has in common when this thread's CPU number is read: the kernel writes it into the rseq area that glibc
// registered for the thread, whose place and size glibc publishes since 2.35 (__rseq_offset, __rseq_size). The area is mapped
// only where every gate says so, and believed only once it has agreed with sched_getcpu(). The view of it never leaves the
// closures below: it is the thread's own memory, gone with the thread.

/** Bytes of `struct rseq` (linux/rseq.h). */
const CPU_ID_START = 0;
const CPU_ID = 4;
const NODE_ID = 20;
const WORD_BYTES = 4;
const AREA_ALIGN = 32n;

/** What glibc 2.35 to 2.39 says for an area of which 20 bytes are in use. */
const LEGACY_SIZE = 32;
const LEGACY_USED = 20;

/** How often the word and sched_getcpu() are compared: the thread may move in between. */
const TRIES = 8;

/** Where a thread's CPU number comes from. */
export interface CpuSource {
  /** The kernel's rseq word, a call of sched_getcpu(), or nothing. */
  readonly via: 'rseq' | 'sched_getcpu' | 'none';
  /** What reaches into C, undefined where nothing does. */
  readonly ffi: string | undefined;
  /** Why nothing better is to be had; empty for the rseq word. */
  readonly reasons: readonly string[];
  /** The CPU this thread runs on, or did a moment ago; -1 where that cannot be known. */
  readonly cpu: () => number;
  /** The NUMA node of that CPU, 0 where that cannot be known. */
  readonly node: () => number;
}

/** What is asked of a way to call C. */
export interface Ffi {
  readonly name: string;
  /** sched_getcpu(3), undefined where libc has none. */
  readonly schedGetCpu: (() => number) | undefined;
  /** pthread_self(3). */
  threadPointer(): bigint;
  /** glibc's __rseq_offset and __rseq_size, undefined where they do not exist. */
  readonly rseqOffset: bigint | undefined;
  readonly rseqSize: number | undefined;
  /** So many bytes of memory from an address on, not a copy. */
  view(address: bigint, bytes: number): ArrayBuffer;
}

/** Where a caller keeps the mapped area itself. Only for code of this library that reads it in the fewest instructions. */
export interface Mapped {
  words?: Int32Array;
  /** Set where there is no source at all. */
  absent?: true;
}

/** Index of cpu_id among the words of a mapped area. */
export const CPU_ID_WORD: number = CPU_ID / WORD_BYTES;

export interface Machine {
  readonly arch: string;
  /** Whether the engine keeps an ordinary load inside a loop. JavaScriptCore moves it out, V8 does not. */
  readonly rereads: boolean;
}

/** No CPU number, for these reasons. */
export function noSource(reasons: readonly string[]): CpuSource {
  return { via: 'none', ffi: undefined, reasons, cpu: () => -1, node: () => 0 };
}

/** The best source that this way to call C gives. `keep` gets the mapped area where plain loads may read it. */
export function sourceOf(ffi: Ffi, machine: Machine, keep?: Mapped): CpuSource {
  const { name, schedGetCpu } = ffi;
  const mapped = attempt(() => mapArea(ffi, machine, keep));
  if (typeof mapped !== 'string') return { via: 'rseq', ffi: name, reasons: [], ...mapped };
  const why = [`the rseq area is not read: ${mapped}`];
  const called =
    schedGetCpu === undefined ? 'libc has none' : attempt(() => (schedGetCpu() < 0 ? 'it fails' : schedGetCpu));
  if (typeof called === 'string') return { ...noSource([...why, `sched_getcpu() is not used: ${called}`]), ffi: name };
  return { via: 'sched_getcpu', ffi: name, reasons: why, cpu: called, node: () => 0 };
}

/** Whether `struct rseq` is so large that it has the field that ends there (glibc's manual, "Restartable Sequences"). */
function reaches(size: number, end: number): boolean {
  return (size === LEGACY_SIZE ? LEGACY_USED : size) >= end;
}

function mapArea(
  ffi: Ffi,
  { arch, rereads }: Machine,
  keep: Mapped | undefined,
): Pick<CpuSource, 'cpu' | 'node'> | string {
  const { schedGetCpu, rseqOffset, rseqSize } = ffi;
  if (rseqOffset === undefined || rseqSize === undefined)
    return 'libc publishes none (glibc does since 2.35; musl does not)';
  if (rseqSize === 0) return 'libc has registered none (the tunable glibc.pthread.rseq=0, or the kernel refuses)';
  if (!reaches(rseqSize, CPU_ID + WORD_BYTES)) return `its ${rseqSize} bytes do not reach cpu_id`;
  // Elsewhere pthread_self() is not the thread pointer that the offset counts from.
  if (arch !== 'x64') return `the thread pointer is not known on ${arch}`;
  if (schedGetCpu === undefined) return 'libc has no sched_getcpu() to check it by';
  const address = ffi.threadPointer() + rseqOffset;
  if (address <= 0n || address % AREA_ALIGN !== 0n) return 'its address makes no sense';
  const hasNode = reaches(rseqSize, NODE_ID + WORD_BYTES);
  const words = new Int32Array(ffi.view(address, hasNode ? NODE_ID + WORD_BYTES : CPU_ID + WORD_BYTES));
  const doubt = disagreement(words, schedGetCpu);
  if (doubt !== undefined) return doubt;
  if (keep !== undefined && rereads) keep.words ??= words;
  return {
    cpu: reader(words, schedGetCpu),
    node: hasNode ? () => Atomics.load(words, NODE_ID / WORD_BYTES) >>> 0 : () => 0,
  };
}

/** Why the word is not to be believed; undefined if it agreed with sched_getcpu() while it did not change. */
function disagreement(words: Int32Array, schedGetCpu: () => number): string | undefined {
  let seen = '';
  for (let tries = 0; tries < TRIES; tries++) {
    const [start, before] = [Atomics.load(words, CPU_ID_START / WORD_BYTES), Atomics.load(words, CPU_ID / WORD_BYTES)];
    const called = schedGetCpu();
    const after = Atomics.load(words, CPU_ID / WORD_BYTES);
    if (before < 0 && after < 0) return `its cpu_id is ${before}, not registered`;
    if (before === after && before === called && before === start) return undefined;
    seen = `cpu_id_start ${start}, cpu_id ${before} and ${after}, sched_getcpu() ${called}`;
  }
  return `it disagrees with sched_getcpu() (${seen})`;
}

function reader(words: Int32Array, otherwise: () => number): () => number {
  return () => {
    const cpu = Atomics.load(words, CPU_ID_WORD);
    return cpu >= 0 ? cpu : otherwise();
  };
}

function attempt<T>(step: () => T): T | string {
  try {
    return step();
  } catch (error) {
    return messageOf(error);
  }
}

/** The first line of what was thrown. */
export function messageOf(error: unknown): string {
  return String((error as Error | null | undefined)?.message ?? error).split('\n', 1)[0] as string;
}
