// What the examples use of the package sql.js, which has no types of its own.

declare module 'sql.js' {
  export type SqlValue = string | number | Uint8Array | null;

  export interface Statement {
    run(values?: readonly SqlValue[]): void;
    /** The first row; empty where there is none. */
    get(values?: readonly SqlValue[]): SqlValue[];
    reset(): void;
    free(): void;
  }

  export interface Database {
    run(sql: string): Database;
    prepare(sql: string): Statement;
    exec(sql: string, values?: readonly SqlValue[]): { columns: string[]; values: SqlValue[][] }[];
    /** The database as the bytes of a file. */
    export(): Uint8Array;
    close(): void;
  }

  export interface SqlJsStatic {
    readonly Database: new (bytes?: Uint8Array) => Database;
  }

  export default function initSqlJs(options?: { readonly wasmBinary?: Uint8Array }): Promise<SqlJsStatic>;
}
