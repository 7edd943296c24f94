// What loading modules asks of a runtime (docs/ABI.md, clause 71): real paths, one safe reading of a file, and running a text that
// was read before. It knows nothing of manifests, and decides nothing.

/** What became of reading a file: its bytes, or why there are none. */
export type FileRead =
  | { readonly bytes: Uint8Array }
  | { readonly is: 'another-kind'; readonly kind: string }
  | { readonly is: 'too-large'; readonly size: number }
  | { readonly is: 'unreadable'; readonly cause: unknown };

/** Where a name leads, all symbolic links followed. */
export type RealPath =
  | { readonly path: string }
  | { readonly is: 'missing' }
  | { readonly is: 'unreadable'; readonly cause: unknown };

/** A CommonJS module, compiled and not yet run. */
export interface CommonJsRun {
  readonly exports: object;
  readonly require: (specifier: unknown) => unknown;
  /** What stands in the place of `import()`. */
  readonly dynamicImport: (specifier: unknown) => Promise<unknown>;
  /** Longest time that it may run in one go, in ms; none: unbounded. */
  readonly timeout: number | undefined;
}

export interface ModuleHost {
  /** A path from a directory, or a file: URL, as an absolute path. */
  absolute(path: string | URL): string;
  join(...parts: readonly string[]): string;
  /** Whether a real path lies in a real directory. */
  inside(path: string, dir: string): boolean;
  /** Never throws. A link that leads nowhere is unreadable, not missing. */
  realPath(path: string): RealPath;
  /** Opens it once, without waiting for a writer of a pipe, and reads its bytes once, no more than `maxBytes`. Never throws. */
  read(path: string, maxBytes: number): FileRead;
  /** Hexadecimal. */
  sha256(bytes: Uint8Array): string;
  /** Undefined where the bytes are no UTF-8. */
  decode(bytes: Uint8Array): string | undefined;
  /** Bytes that a text has in UTF-8. */
  byteLength(text: string): number;
  /** The file: URL of a path, and the name of its directory. */
  fileUrl(path: string): string;
  dirname(path: string): string;
  /** Path of the file that this thread was started with. */
  program(): string | undefined;
  isBuiltin(specifier: string): boolean;
  builtin(specifier: string): unknown;
  /** The URL of an ES module whose UTF-8 these are, one behind the other; another URL for each label. */
  textUrl(parts: readonly (string | Uint8Array)[], label: string): string;
  importUrl(url: string): Promise<unknown>;
  /** The file: URL of an entry of the copy of the library that asks: 'coexist' or 'coexist/...'. Undefined where it is not to be found. */
  entryUrl(specifier: string): string | undefined;
  /** An expression for the value of an anchor, in any module of this thread. */
  anchorExpression(key: string): string;
  /** Runs a text as CommonJS under a path; returns `module.exports`. @throws what it throws; an error whose code is ERR_SCRIPT_EXECUTION_TIMEOUT when its time is over. */
  runCommonJs(text: string, path: string, run: CommonJsRun): unknown;
}

/** What a text of CommonJS calls instead of `import()`. */
export const DYNAMIC_IMPORT = '__coexist_import';
