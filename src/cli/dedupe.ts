// coexist dedupe: runs a program with coexist/dedupe loaded before it.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import type { Command } from './command.js';

const USAGE = `usage: coexist dedupe --unique NAME[,NAME...] [--policy private|warn|throw] [--report FILE|0] [node's flags] app.js [arguments]

Every copy of the packages that the range of whoever imports it allows becomes one instance. A copy out of range stays its own (private), gives
way all the same (warn), or fails to load (throw). What was merged, and what was not, goes to standard error at the end, or to FILE as JSON.
Its exit code is that of the program, and 128 and the number of the signal where one has ended that.`;

interface Given {
  readonly settings: Readonly<Record<string, string>>;
  readonly rest: readonly string[];
}

const SETTINGS: Readonly<Record<string, string>> = {
  '--unique': 'COEXIST_UNIQUE',
  '--policy': 'COEXIST_UNIQUE_POLICY',
  '--report': 'COEXIST_UNIQUE_REPORT',
};

/** Undefined where the arguments make no sense. */
function parse(args: readonly string[]): Given | undefined {
  const settings: Record<string, string> = {};
  let at = 0;
  for (; at < args.length; at++) {
    const [, flag = '', inline] = /^(--[a-z]+)(?:=(.*))?$/s.exec(args[at] ?? '') ?? [];
    const name = Object.hasOwn(SETTINGS, flag) ? SETTINGS[flag] : undefined;
    if (name === undefined) break;
    const value = inline ?? args[++at];
    if (value === undefined || value === '') return undefined;
    settings[name] = flag === '--unique' && settings[name] !== undefined ? `${settings[name]},${value}` : value;
  }
  const rest = args.slice(at);
  return settings['COEXIST_UNIQUE'] === undefined || rest.length === 0 ? undefined : { settings, rest };
}

export const dedupeCommand: Command = {
  run(args) {
    if (args.includes('--help') && parse(args) === undefined) {
      console.log(USAGE);
      return 0;
    }
    const given = parse(args);
    if (given === undefined) {
      console.error(USAGE);
      return 2;
    }
    const preload = new URL('./dedupe.js', import.meta.url).href;
    const child = spawn(process.execPath, ['--import', preload, ...given.rest], {
      stdio: 'inherit',
      env: { ...process.env, ...given.settings },
    });
    // Ctrl-C at a terminal reaches both: sent on, it would be the second one, at which many programs give up. What else is sent reaches this one.
    const terminal = [0, 1, 2].some((fd) => isatty(fd));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) {
      process.on(signal, () => {
        if (signal !== 'SIGINT' || !terminal) child.kill(signal);
      });
    }
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
  },
};
