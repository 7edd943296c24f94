// What the job prints: what each thread did, and what the database says of the files.
// @ts-check

import { counted, formatTable, megabytes } from '../table.js';

/**
 * What one thread did, in both passes.
 * @typedef {{ slot: number, generation: number, threadId: number, hits: number, misses: number, waitedMs: number, note: string }} ThreadRow
 */

/** Kinds of files, the largest first, with what is there twice. Asked of the database where it is. */
export const BY_KIND = `
  WITH
    parts AS (
      SELECT
        CASE WHEN instr(name, '.') = 0 THEN '(none)' ELSE '.' || replace(name, rtrim(name, replace(name, '.', '')), '') END AS kind,
        json_extract(value, '$.analysis.sha256') AS sha256,
        json_extract(value, '$.analysis.bytes') AS bytes,
        json_extract(value, '$.analysis.text') * json_extract(value, '$.analysis.lines') AS lines
      FROM (SELECT value, replace(key, rtrim(key, replace(key, '/', '')), '') AS name FROM entries)
    ),
    ranked AS (
      SELECT *, row_number() OVER (PARTITION BY sha256 ORDER BY kind) AS copy FROM parts
    )
  SELECT kind, count(*) AS files, sum(bytes) AS bytes, sum(lines) AS lines,
    sum(copy > 1) AS copies, sum(CASE WHEN copy > 1 THEN bytes ELSE 0 END) AS again
  FROM ranked GROUP BY kind ORDER BY bytes DESC, kind LIMIT 8`;

/** @param {ThreadRow[]} rows */
export function printThreads(rows) {
  const head = ['slot', 'generation', 'thread', 'hits', 'misses', 'ms waited for its turn', ''];
  const cells = rows.map((row) => [
    row.slot,
    row.generation,
    row.threadId,
    row.hits,
    row.misses,
    Math.round(row.waitedMs),
    row.note,
  ]);
  console.log(`\n${formatTable(head, cells)}\n`);
}

/** @param {Record<string, string | number | null>[]} rows */
export function printKinds(rows) {
  const head = ['files called', 'how many', 'bytes', 'lines', 'the same as another', 'bytes of those'];
  const columns = ['kind', 'files', 'bytes', 'lines', 'copies', 'again'];
  console.log(
    formatTable(
      head,
      rows.map((row) => columns.map((column) => String(row[column] ?? ''))),
    ),
  );
  const again = rows.reduce((sum, row) => sum + Number(row['again']), 0);
  console.log(`\n${megabytes(again)} of the largest kinds are there more than once\n`);
}

/**
 * @param {string} what
 * @param {import('./checks.js').Pass} pass
 * @param {number} seconds
 */
export function printPass(what, { hits, misses, failures }, seconds) {
  const failed = failures > 0 ? `, ${failures} not readable` : '';
  console.log(`${what}: ${counted(hits, 'hit')}, ${misses} found out${failed}, ${seconds.toFixed(1)} s`);
}
