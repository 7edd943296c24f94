// A .wat file, assembled at build time.
declare module '*.wat' {
  const bytes: Uint8Array;
  export default bytes;
}
