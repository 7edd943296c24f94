// What a module says of itself, and what a list of modules says of each (docs/ABI.md, clause 71). Data only: whoever loads decides by
// it before anything runs.

/** A module's own words. */
export interface ModuleDeclaration {
  readonly name: string;
  /** Of the build that it belongs to: 64 hexadecimal digits. */
  readonly fingerprint: string;
  readonly type?: 'module' | 'commonjs';
  /** What it provides. */
  readonly objects?: readonly string[];
  /** Options of the host that need it. */
  readonly options?: readonly string[];
  /** Modules that are loaded before it. */
  readonly depends?: readonly string[];
  /** Hosts that may load it; none: all. */
  readonly targets?: readonly string[];
  /** Interfaces that it implements, and their versions. */
  readonly interfaces?: Readonly<Record<string, number>>;
}

/** A place in the source text that stands for something else when it runs; [start, end) in UTF-16 units. */
export type SourceReference = { readonly start: number; readonly end: number } & (
  | { readonly is: 'import'; readonly specifier: string }
  | { readonly is: 'import()' | 'url' | 'filename' | 'dirname' }
);

/** One module in a manifest. */
export interface ManifestModule extends Required<ModuleDeclaration> {
  /** The file's name, without separators. */
  readonly file: string;
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string;
  /** Its size. */
  readonly bytes: number;
  readonly references: readonly SourceReference[];
}

export interface Manifest {
  readonly format: 1;
  /** In the order of their names. */
  readonly modules: readonly ManifestModule[];
}

/** The manifest's name in a directory of modules. */
export const MANIFEST_FILE = 'modinfo.json';
export const MODULE_BYTES_MAX = 64 * 2 ** 20;
