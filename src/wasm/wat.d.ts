// A .wat file, assembled at build time; base64.
declare module '*.wat' {
  const base64: string;
  export default base64;
}
