// What the cache uses of the package sql.js, which has no types of its own.

declare module 'sql.js' {
  type SqlValue = string | number | Uint8Array | null;

  interface Statement {
    run(values?: readonly SqlValue[]): void;
    /** The first row; empty where there is none. */
    get(values?: readonly SqlValue[]): SqlValue[];
    reset(): void;
  }

  interface Database {
    run(sql: string): Database;
    prepare(sql: string): Statement;
    exec(sql: string, values?: readonly SqlValue[]): { columns: string[]; values: SqlValue[][] }[];
    close(): void;
  }

  export default function initSqlJs(): Promise<{ Database: new () => Database }>;
}
