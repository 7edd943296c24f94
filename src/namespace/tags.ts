// Path tags. A namespace sees every file under a path of its own, `<root>/<label><real path>`, where `<root>/<label>` is a symbolic link to
// the root of the file system: to Node's module caches these are other modules, while everything that reads files finds the real ones.
//
// Labels: `3` and `3.1`, `3.2`, ... of a permanent namespace, `c3` of a closable one. A permanent namespace goes on to the next label when
// something that it loaded failed, since Node keeps what failed under the old one. A closable one leaves nothing behind under its label.

import { fs, process } from '../host/node/builtin.js';

export interface Tag {
  readonly ns: number;
  readonly label: string;
  /** What the tagged path leads to. */
  readonly path: string;
}

export interface Tags {
  /** Absolute, without links in it. */
  readonly root: string;
  /** The last part of `root`: the same in paths and in URLs. */
  readonly name: string;
  tag(path: string, label: string): string;
  /** Undefined for a path that has no tag. */
  parse(path: string): Tag | undefined;
}

/** What the directories of the links of all threads are called, in the directory for temporary files. */
export const ROOT_PREFIX = 'coexist-ns-';

/** Scope, process, thread and what is random (docs/ABI.md, clause 75). */
const ROOT_NAME = String.raw`[0-9a-f]+\.\d+\.[0-9a-f]+\.[A-Za-z0-9]+`;

const LABEL = String.raw`(?:\d+(?:\.\d+)?|c\d+)`;

export const labelOf = (ns: number, kind: 'permanent' | 'closable', link: number): string =>
  kind === 'closable' ? `c${ns}` : link === 0 ? String(ns) : `${ns}.${link}`;

/** The number of a permanent namespace's link in its label. */
export const linkOf = (label: string): number => Number(label.split('.')[1] ?? 0);

export function tagsIn(root: string): Tags {
  const tagged = new RegExp(`^(${LABEL})(/.*)$`, 's');
  const start = `${root}/`;
  return {
    root,
    name: root.slice(root.lastIndexOf('/') + 1),
    tag: (path, label) => `${start}${label}${path}`,
    parse(path) {
      if (!path.startsWith(start)) return undefined;
      const [, label, real] = tagged.exec(path.slice(start.length)) ?? [];
      if (label === undefined || real === undefined) return undefined;
      return { ns: Number.parseInt(label.replace('c', ''), 10), label, path: real };
    },
  };
}

let tags: RegExp | undefined;

/** Tags in this process's directory for temporary files, whatever its name has in it, and in any other without blanks in its name. */
function everyTag(): RegExp {
  let dir = process.getBuiltinModule('node:os').tmpdir();
  try {
    dir = fs.realpathSync(dir);
  } catch {
    // It is there no more, or not from the current directory.
  }
  const own = [dir, process.getBuiltinModule('node:url').pathToFileURL(dir).pathname].map((at) =>
    at.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'),
  );
  const other = String.raw`(?:/[^\s/:'"()<>\x60]+)*`;
  return new RegExp(`(?:${own.join('|')}|${other})/${ROOT_PREFIX}${ROOT_NAME}/${LABEL}(?=/|$)`, 'g');
}

/**
 * A text with every tag taken out: paths and file: URLs in it, of stack traces for instance, are those of the real files.
 * Works for the tags of all threads and processes.
 * @since 0.1.0
 */
export function untag(text: string): string {
  if (!text.includes(ROOT_PREFIX)) return text;
  tags ??= everyTag();
  return text.replace(tags, '');
}
