/** Node 20 and 22 have no Symbol.dispose inside a vm context. */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? (Symbol.for('Symbol.dispose') as never);
