// Folders of parts with something wrong: what installations look like after half an upgrade, a full disk, or somebody's hand.
// @ts-check

import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {ReturnType<typeof damage>} Places */

/** @param {{ folder: string, parts: string, other: string, fingerprint: string }} options */
export function damage({ folder, parts, other, fingerprint }) {
  const copyOf = (/** @type {string} */ name) => {
    const copy = join(folder, name);
    cpSync(parts, copy, { recursive: true });
    return copy;
  };
  const halved = copyOf('halved');
  cpSync(join(other, 'block-zip.mjs'), join(halved, 'block-zip.mjs'));
  const touched = copyOf('touched');
  const file = join(touched, 'block-zip.mjs');
  writeFileSync(file, `${readFileSync(file, 'utf8')}// one line more\n`);
  const lacking = copyOf('lacking');
  rmSync(join(lacking, 'block-core.mjs'));
  return { halved, touched, lacking, upgraded: copyOf('upgraded'), fingerprint, other };
}

/**
 * A package is upgraded: its new files take the place of the old ones, and these are kept beside them, for programs that still run.
 * @param {{ upgraded: string, other: string, fingerprint: string }} places
 */
export function upgrade({ upgraded, other, fingerprint }) {
  const kept = join(upgraded, fingerprint);
  mkdirSync(kept);
  for (const name of readdirSync(upgraded)) {
    if (name !== fingerprint) renameSync(join(upgraded, name), join(kept, name));
  }
  cpSync(other, upgraded, { recursive: true });
}
