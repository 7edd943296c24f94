// The stepping assembly of every file in src/wasm by name, base64; made at build time (scripts/stepping-wat.js).
declare module 'coexist:stepping-wasm' {
  export const modules: Readonly<Record<string, string>>;
}
