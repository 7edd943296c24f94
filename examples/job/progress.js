// Shows how far the run is: a bar that is redrawn on a terminal, otherwise a line for every tenth.
// @ts-check

import { megabytes } from './table.js';

const CELLS = 30;

/**
 * @param {NodeJS.WritableStream & { isTTY?: boolean }} stream
 * @param {string} verb What is being done to the files.
 * @param {number} total Files.
 */
export function createProgress(stream, verb, total) {
  const terminal = stream.isTTY === true;
  let tenths = 0;
  let drawn = false;

  const clear = () => {
    if (drawn) stream.write('\r\x1b[K');
    drawn = false;
  };

  return {
    /**
     * @param {number} files
     * @param {number} bytes
     */
    update(files, bytes) {
      const share = total === 0 ? 1 : files / total;
      const counts = `${files} of ${total} files, ${megabytes(bytes)}`;
      if (terminal) {
        const full = Math.round(share * CELLS);
        stream.write(`\r\x1b[K${verb} [${'#'.repeat(full)}${'.'.repeat(CELLS - full)}] ${counts}`);
        drawn = true;
      } else if (Math.floor(share * 10) > tenths) {
        tenths = Math.floor(share * 10);
        stream.write(`${verb} ${String(tenths * 10).padStart(3)} %: ${counts}\n`);
      }
    },
    /**
     * A line of text, above the bar.
     * @param {string} text
     */
    say(text) {
      clear();
      stream.write(`${text}\n`);
    },
    clear,
  };
}
