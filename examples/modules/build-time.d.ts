// What the build of the parts puts in.

declare module '*.wasm' {
  const bytes: Uint8Array;
  export default bytes;
}

declare module 'block-core' {
  export { registerDriver } from './parts/block-core.js';
}

/** How well archives are packed, 0 to 9. */
declare const ZIP_LEVEL: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** Of the build that the program is of. */
declare const FINGERPRINT: string;

/** `process` in parts. A program that has its parts inside itself has no record of them that its threads could share. */
declare const INIT_SCOPE: 'process' | 'thread';
