// npm run explore -- --planted: plants each bug of explore-mutations.ts in a copy of the built library, and prints the schedule that
// shows it.

import { explain, explore } from 'coexist/explore';
import { plant } from './explore-mutant.js';
import { mutations } from './explore-mutations.js';
import { optionsOf, protocols } from './explore-protocols.js';

/** Returns how many were not found. */
export async function explorePlanted(root: URL, build: URL, print: (text: string) => void): Promise<number> {
  let missed = 0;
  let found = 0;
  for (const mutation of mutations) {
    const protocol = protocols.find(({ name }) => name === mutation.protocol);
    if (protocol === undefined) throw new Error(`${mutation.name}: no protocol ${mutation.protocol}`);
    const result = await explore(optionsOf(protocol, 'twin', mutation, build, plant(mutation, root)));
    const verdict = result.failure === undefined ? 'MISSED' : `found in schedule ${result.allSchedules}`;
    print(`\n== ${mutation.name} (${mutation.protocol}, ${mutation.threads} threads): ${verdict}`);
    if (result.failure === undefined) missed++;
    else {
      found++;
      print(explain(result));
    }
  }
  print(`\n${found} planted bugs found, ${missed} missed`);
  return missed;
}
