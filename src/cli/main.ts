#!/usr/bin/env node
// The command `coexist`: sub-commands by name, each a module of its own, loaded when it is called.

import type { Command } from './command.js';

const commands: Readonly<Record<string, { readonly about: string; load(): Promise<Command> }>> = {
  dedupe: {
    about: 'runs a program in which the copies of some packages are one',
    load: async () => (await import('./dedupe.js')).dedupeCommand,
  },
  doctor: {
    about: 'says what works in this environment, what does not, and what to do about it',
    load: async () => (await import('./doctor.js')).doctorCommand,
  },
  modinfo: {
    about: 'collects the manifest of a directory of modules, and says what is wrong with them',
    load: async () => (await import('./modinfo.js')).modinfoCommand,
  },
  stress: {
    about: 'loads the library with threads that die at random, and asserts that nothing is lost',
    load: async () => (await import('./stress.js')).stressCommand,
  },
};

function usage(): string {
  const lines = Object.entries(commands).map(([name, { about }]) => `  ${name.padEnd(8)} ${about}`);
  return `usage: coexist <command> [options]\n${lines.join('\n')}`;
}

const [name = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command !== undefined) {
  process.exitCode = await (await command.load()).run(args);
} else if (name === 'help' || name === '--help') {
  console.log(usage());
} else {
  console.error(name === '' ? usage() : `unknown command: ${name}\n${usage()}`);
  process.exitCode = 2;
}
