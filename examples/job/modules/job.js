// The job `modules`: a program whose optional parts are built apart and loaded when they are needed, seen from every side. What it takes
// to start without them, what is refused and why, what loads them, in main and in workers, and what becomes of a program whose files are
// replaced while it runs. Every step is checked.
// @ts-check

import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILD, buildParts, buildPrograms, STANDARD } from '../../modules/build.js';
import { printChecks } from '../print.js';
import { counted, formatTable, megabytes } from '../table.js';
import { checksOf } from './checks.js';
import { damage } from './damage.js';
import { onDemand } from './demand.js';
import { askRefusals } from './refusals.js';
import { startBoth } from './start.js';
import { inWorker, roles } from './threads.js';

/** Packed better: what differs is one byte of one part, and all of their fingerprints. */
const OTHER = { ...STANDARD, zipLevel: 9 };

/** @type {import('../jobs.js').Run} */
export async function run({ dir, workers }, signal) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'coexist-modules-')));
  try {
    return await show({ dir, workers, folder, signal });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {{ dir: string, workers: number, folder: string, signal: AbortSignal }} options */
async function show({ dir, workers, folder, signal }) {
  const parts = join(BUILD, 'parts');
  const other = join(BUILD, 'other');
  const fingerprint = await buildParts(parts);
  const programs = await buildPrograms(BUILD, STANDARD);
  const foreign = await buildParts(other, OTHER);
  printManifest(parts, fingerprint);

  const started = await startBoth({ programs, parts, folder: join(folder, 'started'), signal });
  if (signal.aborted) return interrupted();

  // Before anything is loaded here: what is refused must leave nothing.
  const places = damage({ folder, parts, other, fingerprint });
  const host = { fingerprint, dirs: [parts], folder: join(folder, 'files') };
  const refused = await askRefusals({ places, host, foreign });
  const replaced = await inWorker('replaced', { ...host, dirs: [places.upgraded], other }, signal);
  const late = await inWorker('late', { ...host, dirs: [places.upgraded] }, signal);
  if (signal.aborted) return interrupted();

  const demanded = await onDemand({ host, dir });
  const threads = await roles({ host, workers, archive: demanded.packed, signal });
  const rival = await inWorker('rival', { ...host, fingerprint: foreign, dirs: [other] }, signal);
  if (signal.aborted) return interrupted();
  demanded.close();

  const journal = readFileSync(join(host.folder, 'journal.txt'), 'utf8').trimEnd().split('\n');
  const report = join(BUILD, 'report.html');
  writeFileSync(report, demanded.page);
  console.log(`\nthe report: ${report}, ${demanded.page.length} characters, of ${counted(demanded.rows, 'file')}\n`);
  const evidence = {
    started,
    refused,
    replaced,
    late,
    demanded,
    threads,
    rival,
    journal,
    fingerprint,
    foreign,
    places,
  };
  return printChecks(checksOf(evidence)) ? 0 : 1;
}

function interrupted() {
  console.log('interrupted');
  return 1;
}

/**
 * @param {string} folder
 * @param {string} fingerprint
 */
function printManifest(folder, fingerprint) {
  /** @type {import('coexist/module').Manifest} */
  const { modules } = JSON.parse(readFileSync(join(folder, 'modinfo.json'), 'utf8'));
  console.log(`build ${fingerprint} in ${folder}\n`);
  const head = ['part', 'format', 'size', 'provides', 'depends', 'hosts'];
  const rows = modules.map(({ name, type, bytes, objects, depends, targets }) => [
    name,
    type,
    megabytes(bytes),
    objects.join(' '),
    depends.join(' '),
    targets.join(' ') || 'all',
  ]);
  console.log(formatTable(head, rows));
}
