// Text for people: tables with aligned columns, and sizes.
// @ts-check

/** @param {number | bigint} bytes */
export const megabytes = (bytes) => `${(Number(bytes) / 1e6).toFixed(1)} MB`;

/**
 * @param {number | bigint} count
 * @param {string} noun
 */
export const counted = (count, noun) => `${count} ${noun}${Number(count) === 1 ? '' : 's'}`;

/**
 * Columns of numbers are aligned right, others left.
 * @param {string[]} head
 * @param {(string | number | bigint)[][]} rows
 * @returns {string}
 */
export function formatTable(head, rows) {
  const cells = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const right = head.map((_, column) => rows.every((row) => /^([+-]?\d+)?$/.test(String(row[column] ?? ''))));
  const line = (/** @type {string[]} */ row) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? '';
        return right[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return cells.map(line).join('\n');
}
