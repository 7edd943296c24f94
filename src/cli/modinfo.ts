// coexist modinfo collect DIR [--out FILE] [--json]: writes the manifest of a directory of modules, or says everything that is wrong
// with them. The collecting is dist/modinfo.js, beside this.

import type { Manifest } from '../core.js';
import type { Survey } from '../modinfo.js';
import type { Command } from './command.js';

type Modinfo = typeof import('../modinfo.js');

interface Wanted {
  readonly dir: string;
  readonly out: string | undefined;
  readonly json: boolean;
}

const USAGE = 'usage: coexist modinfo collect DIR [--out FILE] [--json]';

export const modinfoCommand: Command = {
  async run(args) {
    if (args.includes('--help')) {
      console.log(USAGE);
      return 0;
    }
    const wanted = wantedOf(args);
    if (typeof wanted === 'string') return misused(wanted);
    const file = new URL('./modinfo.js', import.meta.url).href;
    return collectInto(wanted, (await import(file)) as Modinfo);
  },
};

function wantedOf([what, ...args]: readonly string[]): Wanted | string {
  if (what !== 'collect') return what === undefined ? 'what to do is missing' : `unknown argument: ${what}`;
  let dir: string | undefined;
  let out: string | undefined;
  let json = false;
  for (let k = 0; k < args.length; k++) {
    const arg = args[k] ?? '';
    if (arg === '--json') json = true;
    else if (arg === '--out') {
      out = args[++k];
      if (out === undefined || out === '') return '--out is without its file';
    } else if (arg.startsWith('-') || dir !== undefined) return `unknown argument: ${arg}`;
    else dir = arg;
  }
  return dir === undefined || dir === '' ? 'DIR is missing' : { dir, out, json };
}

function misused(why: string): number {
  console.error(`${why}\n${USAGE}`);
  return 2;
}

function collectInto({ dir, out, json }: Wanted, { survey, saveManifest, manifestIn }: Modinfo): number {
  let found: Survey;
  try {
    found = survey(dir);
  } catch (error) {
    return misused(wordsOf(error));
  }
  const { manifest, problems, skipped } = found;
  if (manifest === undefined) {
    if (json) console.log(JSON.stringify({ problems, skipped }));
    else console.error([`${dir}: nothing written`, ...problems.map((text) => `  ${text}`)].join('\n'));
    return 1;
  }
  const file = out ?? manifestIn(dir);
  try {
    saveManifest(manifest, file);
  } catch (error) {
    return misused(`cannot write ${file}: ${wordsOf(error)}`);
  }
  if (json) console.log(JSON.stringify({ manifest, problems, skipped }));
  else {
    const skips = skipped.map(({ file, reason }) => `skipped ${file}: ${reason}`);
    console.log([...linesOf(manifest), ...skips, `written: ${file}`].join('\n'));
  }
  return 0;
}

function linesOf({ modules }: Manifest): string[] {
  return modules.map(({ name, file, type, bytes, fingerprint }) => {
    return `${name}: ${file}, ${type}, ${bytes} bytes, build ${fingerprint.slice(0, 16)}`;
  });
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
