// The last thing that a stress thread does, as it was told to.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEATHS, EXIT_CODE, ON_PURPOSE } from './stress-ledger.js';

/** `command`: an index into DEATHS, + 1; comes back where it is none, or 'return'. */
export async function dieAs(command: number): Promise<void> {
  const death = DEATHS[command - 1];
  if (death === 'exit') process.exit(EXIT_CODE);
  if (death === 'oom') {
    // Small objects: with large ones, later versions of Node collect garbage for ever instead of giving up.
    let list: unknown = null;
    for (;;) list = { list, kept: [1, 2, 3] };
  }
  if (death === 'throw') {
    setImmediate(() => {
      throw new Error(ON_PURPOSE);
    });
  } else if (death === 'reject') Promise.reject(new Error(ON_PURPOSE));
  if (death === 'throw' || death === 'reject') await sleep(60_000);
}
