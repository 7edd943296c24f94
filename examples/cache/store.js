// The store behind the cache: SQLite, as the wasm package sql.js brings it, in the memory of the one thread that hosts it. Values are
// JSON text, so that SQL can look into them.
// @ts-check

/**
 * @typedef {object} Store
 * @property {(key: string) => string | undefined} get
 * @property {(key: string, value: string) => void} put
 * @property {() => number} size Entries.
 * @property {(sql: string) => Record<string, string | number | null>[]} query
 * @property {() => void} close
 */

/** @returns {Promise<Store>} */
export async function openStore() {
  // Here and not above: the threads that only ask never load it.
  const { default: initSqlJs } = await import('sql.js');
  const { Database } = await initSqlJs();
  const database = new Database();
  database.run('CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID');
  const get = database.prepare('SELECT value FROM entries WHERE key = ?');
  const put = database.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?)');
  const size = database.prepare('SELECT count(*) FROM entries');
  /**
   * The first row; a statement that was read and not reset would go on where it was.
   * @param {typeof get} statement
   * @param {string[]} values
   */
  const first = (statement, values) => {
    const row = statement.get(values);
    statement.reset();
    return row;
  };
  // Whoever asks reads, and changes nothing but by `put`.
  const guarded = (/** @type {string} */ sql) => {
    database.run('PRAGMA query_only = ON');
    try {
      return database.exec(sql);
    } finally {
      database.run('PRAGMA query_only = OFF');
    }
  };
  return {
    get(key) {
      const [value] = first(get, [key]);
      return typeof value === 'string' ? value : undefined;
    },
    put: (key, value) => put.run([key, value]),
    size: () => Number(first(size, [])[0]),
    query: (sql) =>
      guarded(sql).flatMap(({ columns, values }) =>
        values.map((row) => Object.fromEntries(columns.map((column, k) => [column, plain(row[k])]))),
      ),
    close: () => database.close(),
  };
}

/**
 * @param {string | number | Uint8Array | null | undefined} value
 * @returns {string | number | null}
 */
function plain(value) {
  return typeof value === 'string' || typeof value === 'number' ? value : null;
}
