// What a fingerprint asks of a runtime: the bytes of files, and their hash. Apart from src/host/host.ts, so that whoever only attaches
// carries none of it.

import { nodeFiles } from './node/files.js';

export interface Files {
  /** All bytes of a file, at once. Throws what the runtime throws. */
  read(file: string | URL): Uint8Array;
  /** The last part of a path. Throws for a URL that is no file. */
  nameOf(file: string | URL): string;
  /** SHA-256, in hexadecimal. */
  sha256(bytes: Uint8Array): string;
}

export const files: Files = nodeFiles;
