// What the program runs on, as it says itself.

import type { Runtime } from '../host.js';
import { process } from './builtin.js';

export function runtime(): Runtime {
  const { versions, platform, arch } = process;
  // Those that speak Node's language name themselves beside it.
  const name = ['bun', 'deno'].find((other) => other in versions) ?? 'node';
  return { name, version: String(versions[name]), platform, arch };
}
