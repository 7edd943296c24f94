// A name that no manifest lists, though its file may lie in a directory of modules: somebody forgot to collect the manifest, or it is
// no module. The file is read, and nothing of it runs.

import { host } from '../host/host.js';
import { readDeclaration, sourceText } from './declaration.js';
import { endingOf } from './endings.js';
import type { Settings } from './options.js';
import {
  type Refusal,
  refusedNotAModule,
  refusedOutside,
  refusedRead,
  refusedUnlisted,
  refusedUnreadable,
} from './refusals.js';
import type { Ending } from './thread-state.js';

/** Why a file of that name is no module of the loader; undefined where there is no such file. */
export function unlisted(settings: Settings, name: string): Ending | undefined {
  const { modules } = host;
  for (const dir of settings.dirs) {
    const realDir = modules.realPath(dir);
    if ('is' in realDir) continue;
    for (const extension of ['.js', '.mjs', '.cjs']) {
      const path = modules.join(dir, name + extension);
      const real = modules.realPath(path);
      if ('is' in real && real.is === 'missing') continue;
      if ('is' in real) return endingOf(refusedUnreadable(name, path, real.cause));
      if (!modules.inside(real.path, realDir.path)) return endingOf(refusedOutside(name, real.path, realDir.path));
      return endingOf(judge(settings, name, real.path));
    }
  }
  return undefined;
}

function judge({ maxBytes, origin, manifestPath }: Settings, name: string, path: string): Refusal {
  const read = host.modules.read(path, maxBytes);
  if ('is' in read) return refusedRead(name, path, read, maxBytes);
  const text = sourceText(read.bytes);
  if (text === undefined) return refusedNotAModule(name, path, 'no UTF-8');
  try {
    const declaration = readDeclaration(text);
    if (declaration === undefined)
      return refusedNotAModule(name, path, `no declaration in its ${read.bytes.length} bytes`);
    if (declaration.name === name) return refusedUnlisted(name, path, manifestPath ?? `of ${origin}`);
    return refusedNotAModule(name, path, `the declaration of module ${JSON.stringify(declaration.name)}`);
  } catch (error) {
    return refusedNotAModule(name, path, 'a malformed declaration', error);
  }
}
