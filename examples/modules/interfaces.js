// What the program and its optional parts call each other by. Each part has these definitions bundled into it; in a thread they are one
// table each, whoever comes first. Every function can be called at any time: what it does without its part is said here.
// @ts-check

import { defineInterface, stub } from 'coexist/module';

/**
 * A file in memory.
 * @typedef {{ path: string, bytes: Uint8Array }} Entry
 *
 * What `catalogue` knows of a file, or `report` shows.
 * @typedef {{ path: string, bytes: number, packed: number }} Row
 *
 * How one kind of file is read.
 * @typedef {{ name: string, extensions: string[], list: (bytes: Uint8Array) => Entry[] }} Driver
 *
 * @typedef {{ folder: () => string }} Program
 * @typedef {{ drivers: () => string[], list: (path: string, bytes: Uint8Array) => Entry[] }} Blocks
 * @typedef {{ formats: () => string[], pack: (entries: Entry[]) => Promise<Uint8Array>, unpack: (bytes: Uint8Array) => Promise<Entry[]> }} Archive
 * @typedef {{ isOpen: () => boolean, put: (rows: Row[]) => Promise<Uint8Array>, query: (sql: string) => Promise<Record<string, unknown>[]> }} Catalogue
 * @typedef {{ note: (text: string) => void, render: (title: string, rows: Row[]) => Promise<string> }} Report
 */

/**
 * @template T
 * @typedef {import('coexist/module').InterfaceTable<T>} Table
 */

/**
 * A table of this version. JavaScript cannot say of stubs what the functions take that they stand in for, so that its users do.
 * @param {string} name
 * @param {Record<string, import('coexist/module').Stub<unknown>>} functions
 * @returns {unknown}
 */
const table = (name, functions) => defineInterface(name, { version: 1, functions });

/** Implemented by the program itself, in every thread: where the parts keep their files. */
export const program = /** @type {Table<Program>} */ (
  table('example/program', { folder: stub.throws('no host was opened here') })
);

/** block-core: which kinds of files can be read. Without it: none. */
export const blocks = /** @type {Table<Blocks>} */ (
  table('example/blocks', { drivers: stub.value([]), list: stub.throws() })
);

/** block-zip: whoever packs needs it, and has it loaded by that. */
export const archive = /** @type {Table<Archive>} */ (
  table('example/archive', { formats: stub.value([]), pack: stub.load(), unpack: stub.load() })
);

/** block-sqlite. */
export const catalogue = /** @type {Table<Catalogue>} */ (
  table('example/catalogue', { isOpen: stub.value(false), put: stub.load(), query: stub.load() })
);

/** ui-report: notes are dropped where nobody will ever show them. */
export const report = /** @type {Table<Report>} */ (
  table('example/report', { note: stub.noop(), render: stub.load() })
);
