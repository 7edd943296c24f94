// The stress command, of npm run stress and of coexist stress: the library under random load and random deaths, with its
// invariants asserted all along.

import process from 'node:process';
import { helpFor, parseArguments, type StressArguments, UsageError } from './stress-arguments.js';
import { stressData } from './stress-data.js';
import { TOPICS } from './stress-data-topics.js';
import { stressLocks } from './stress-locks.js';
import { stressRegister } from './stress-register.js';
import { stressRing } from './stress-ring.js';

const locks = ['mutex', 'rwlock', 'once', 'condvar', 'semaphore', 'barrier'];
const topics: Record<string, (given: StressArguments) => Promise<number>> = {
  register: stressRegister,
  ring: stressRing,
  ...Object.fromEntries(locks.map((name) => [name, stressLocks])),
  ...Object.fromEntries(Object.keys(TOPICS).map((name) => [name, stressData])),
};

/**
 * Runs the topic that the arguments name; the exit code: 0 if every invariant held, 1 if one did not, 2 for bad arguments. `name` is
 * how the command was called.
 */
export async function stress(args: readonly string[], name: string): Promise<number> {
  // Whoever read the output has gone: the run goes on, its exit code still counts.
  process.stdout.on('error', () => {});
  try {
    const given = parseArguments(args);
    if (given === undefined) {
      process.stdout.write(`${helpFor(name)}\n`);
      return 0;
    }
    const { topic, threads, seconds, kill, seed, slots, json } = given;
    if (!json) {
      process.stdout.write(
        `stress ${topic}: ${threads} threads, ${seconds} s, kill ${kill}, ${topic === 'register' ? `${slots} slots, ` : ''}seed ${seed}\n`,
      );
    }
    return await topics[topic]!(given);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`stress: ${error.message}\n${name} --help says more.\n`);
    return 2;
  }
}
