// A catalogue of files in an SQLite database, by sql.js: the whole of SQLite as WebAssembly, which the bundler puts into this one file.
// Built as CommonJS.
// @ts-check

import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { registerDriver } from 'block-core';
import { moduleInit } from 'coexist/module';
import initialise from 'sql.js';
import wasm from 'sql.js/dist/sql-wasm.wasm';
import { catalogue, program } from '../interfaces.js';

const SCHEMA = 'CREATE TABLE files (path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, packed INTEGER NOT NULL) STRICT';

/** @type {import('sql.js').SqlJsStatic | undefined} */
let sql;
/** @type {import('sql.js').Database | undefined} */
let database;

const opened = () => {
  if (database === undefined) throw new Error('the catalogue is opened in the phase "block", which has not been');
  return database;
};

/** @param {import('sql.js').Database} from @param {string} text */
function rowsOf(from, text) {
  return from
    .exec(text)
    .flatMap(({ columns, values }) =>
      values.map((row) => Object.fromEntries(columns.map((column, k) => [column, row[k]]))),
    );
}

catalogue.implement({
  isOpen: () => database !== undefined,
  async put(rows) {
    const statement = opened().prepare('INSERT OR REPLACE INTO files VALUES (?, ?, ?)');
    for (const { path, bytes, packed } of rows) statement.run([path, bytes, packed]);
    statement.free();
    return opened().export();
  },
  query: async (text) => rowsOf(opened(), text),
});

/** In every thread: SQLite, and an empty catalogue in its memory. */
moduleInit('block', async () => {
  sql = await initialise({ wasmBinary: wasm });
  database = new sql.Database();
  database.run(SCHEMA);
  registerDriver({ name: 'sqlite', extensions: ['.sqlite'], list: listTables });
});

/** Once for the process, whichever thread comes first: the file that catalogues are kept in. */
moduleInit(
  'block',
  () => {
    const path = join(program.folder(), 'catalogue.sqlite');
    writeFileSync(`${path}.new`, opened().export());
    renameSync(`${path}.new`, path);
    appendFileSync(join(program.folder(), 'journal.txt'), 'block-sqlite\n');
  },
  { scope: INIT_SCOPE },
);

/** The tables of a database, as files of JSON. @param {Uint8Array} bytes */
function listTables(bytes) {
  if (sql === undefined) throw new Error('SQLite is there from the phase "block" on');
  const file = new sql.Database(bytes);
  try {
    return rowsOf(file, "SELECT name FROM sqlite_schema WHERE type = 'table'").map(({ name }) => ({
      path: `${name}.json`,
      bytes: new TextEncoder().encode(JSON.stringify(rowsOf(file, `SELECT * FROM "${name}"`))),
    }));
  } finally {
    file.close();
  }
}
