// npm run stress -- TOPIC: the library under random load and random deaths, with its invariants asserted all along.

import process from 'node:process';
import { HELP, parseArguments, type StressArguments, UsageError } from './stress-arguments.js';
import { stressLocks } from './stress-locks.js';
import { stressRegister } from './stress-register.js';
import { stressRing } from './stress-ring.js';

const locks = ['mutex', 'rwlock', 'once', 'condvar', 'semaphore', 'barrier'];
const topics: Record<string, (given: StressArguments) => Promise<number>> = {
  register: stressRegister,
  ring: stressRing,
  ...Object.fromEntries(locks.map((name) => [name, stressLocks])),
};

// Whoever read the output has gone: the run goes on, its exit code still counts.
process.stdout.on('error', () => {});

try {
  const given = parseArguments(process.argv.slice(2));
  if (given === undefined) process.stdout.write(`${HELP}\n`);
  else {
    const { topic, threads, seconds, kill, seed, slots, json } = given;
    if (!json) {
      process.stdout.write(
        `stress ${topic}: ${threads} threads, ${seconds} s, kill ${kill}, ${topic === 'register' ? `${slots} slots, ` : ''}seed ${seed}\n`,
      );
    }
    process.exitCode = await topics[topic]!(given);
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`stress: ${error.message}\nnpm run stress -- --help says more.\n`);
  process.exitCode = 2;
}
