// npm run bench [-- --json] [-- topic...]: runs the topics, one process per group of variants, and prints ratios: a table, or one
// JSON object. A bar that is missed is said and is no failure; a bench that breaks is one.

import { fork } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Bar, Row } from './kit.js';
import { topics } from './topics.js';

const GROUP_MS = 600_000;
const USAGE = `usage: npm run bench [-- --json] [-- topic...]\ntopics: ${Object.keys(topics).join(', ')} (default: all)`;

type Result = Row & { readonly topic: string };

function runGroup(topic: string, group: string): Promise<Result[]> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [topic, group], {
      // A bench that prints must not spoil the JSON.
      stdio: ['ignore', 2, 2, 'ipc'],
      timeout: GROUP_MS,
    });
    let rows: Row[] | undefined;
    child.once('message', (message) => {
      rows = message as Row[];
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0 && rows !== undefined) resolve(rows.map((row) => ({ topic, ...row })));
      else reject(new Error(`${topic}/${group} ended with ${signal ?? `code ${code}`}`));
    });
  });
}

/** Shares of a whole have bars below a tenth, and are shown in per cent. */
function show(value: number, bar?: Bar): string {
  if (bar !== undefined && 'atMost' in bar && bar.atMost < 0.1) return `${(100 * value).toFixed(2)} %`;
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)}x`;
}

function lineOf({ topic, what, ratio, low, high, rounds, bar, met, limit }: Result): string {
  let wanted = '';
  if (bar !== undefined) wanted = 'atMost' in bar ? `<= ${show(bar.atMost, bar)}` : `>= ${show(bar.atLeast, bar)}`;
  const spread = `${show(low, bar)} to ${show(high, bar)}`;
  const most = limit === undefined ? '' : show(limit, bar);
  return line([
    topic,
    what,
    show(ratio, bar),
    wanted,
    met === undefined ? '' : met ? 'met' : 'MISSED',
    String(rounds),
    spread,
    most,
  ]);
}

const COLUMNS = [10, 80, 8, 10, 7, 7, 18] as const;
const TITLES = ['topic', 'what', 'ratio', 'bar', '', 'rounds', 'lowest to highest', 'limit'] as const;
const line = (cells: readonly string[]): string =>
  cells
    .map((cell, k) => cell.padEnd(COLUMNS[k] ?? 0))
    .join(' ')
    .trimEnd();

function parse(): { names: string[]; json: boolean } {
  const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true });
  const unknown = positionals.filter((name) => !Object.hasOwn(topics, name));
  if (unknown.length > 0) throw new Error(`unknown topic: ${unknown.join(', ')}\n${USAGE}`);
  const names = positionals.length > 0 ? [...new Set(positionals)] : Object.keys(topics);
  return { names, json: values.json === true };
}

async function main({ names, json }: ReturnType<typeof parse>): Promise<void> {
  const machine = { node: process.version, v8: process.versions.v8, platform: process.platform, arch: process.arch };
  const cpu = { model: cpus()[0]?.model ?? 'unknown', count: availableParallelism() };
  const results: Result[] = [];
  if (!json) {
    console.log(`Node ${machine.node}, ${machine.platform} ${machine.arch}, ${cpu.count} x ${cpu.model}`);
    console.log(line(TITLES));
  }
  for (const topic of names) {
    for (const group of Object.keys(topics[topic] ?? {})) {
      for (const row of await runGroup(topic, group)) {
        results.push(row);
        if (!json) console.log(lineOf(row));
      }
    }
  }
  const barred = results.filter((row) => row.met !== undefined);
  const met = barred.filter((row) => row.met).length;
  if (json) console.log(JSON.stringify({ ...machine, cpu, met, missed: barred.length - met, rows: results }));
  else {
    console.log(
      `${met} of ${barred.length} bars met. A ratio is the median over rounds in which all variants took turns;`,
    );
    console.log(
      'limit: what plain code (an increment, a lock word without an owner) reaches on this machine in the same rounds.',
    );
  }
}

try {
  await main(parse());
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  console.error(code?.startsWith('ERR_PARSE_ARGS') ? `${message}\n${USAGE}` : message);
  process.exitCode = 1;
}
