// The text of bridge-entry.ts as one expression, made at build time: a function of the reply channel's name.
declare module 'coexist:bridge-expression' {
  const expression: string;
  export default expression;
}
