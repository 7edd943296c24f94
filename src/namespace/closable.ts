// Closable namespaces hold CommonJS only, since Node keeps ES modules for good. ES modules can be had in them by a transformer of the user's.

import { CoexistError } from '../abi/errors.js';
import { graphs } from '../host/graphs.js';
import { fs, process } from '../host/node/builtin.js';
import type { ThreadGraphs } from './thread.js';
import type { Transform } from './types.js';

const vm = process.getBuiltinModule('node:vm');
const installed = new WeakSet<ThreadGraphs>();

/** Has files of closable namespaces compiled by their transformers. */
export function compileClosable(thread: ThreadGraphs, transformOf: (ns: number) => Transform | undefined): void {
  if (installed.has(thread)) return;
  installed.add(thread);
  const { decisions, state } = thread;
  graphs.compile({
    textFor(at) {
      const tag = decisions.parse(at);
      if (tag === undefined || state.slots[tag.ns]?.kind !== 'closable') return undefined;
      const [extension = ''] = /\.[^./]*$/.exec(tag.path) ?? [];
      if (!/^\.[cm]?[jt]s$/.test(extension)) return undefined;
      const type = extension.startsWith('.c')
        ? 'commonjs'
        : extension.startsWith('.m')
          ? 'module'
          : decisions.packages.typeOf(tag.path);
      // Types that Node strips, it strips.
      if (extension.endsWith('ts') && type !== 'module') return undefined;
      const source = fs
        .readFileSync(tag.path, 'utf8')
        .replace(/^\uFEFF/, '')
        .replace(/^#!.*/, '');
      const transform = transformOf(tag.ns);
      if (type === 'commonjs') return source;
      if (type === undefined && (transform === undefined || isScript(source))) return source;
      if (transform === undefined) throw unsupported(tag.ns, tag.path);
      const text: unknown = transform(source, { path: tag.path });
      if (typeof text !== 'string') {
        throw new CoexistError(
          'COEXIST_EINVAL',
          `the transformer of namespace ${tag.ns} gave no text for ${tag.path}`,
          {
            found: text,
            expected: 'a string of CommonJS',
            remedy: 'Return the transformed source.',
          },
        );
      }
      return text;
    },
  });
}

/** Whether a text without a declared kind compiles as CommonJS. */
function isScript(source: string): boolean {
  try {
    vm.compileFunction(source, ['exports', 'require', 'module', '__filename', '__dirname']);
    return true;
  } catch {
    return false;
  }
}

function unsupported(ns: number, path: string): CoexistError {
  return new CoexistError('COEXIST_EUNSUPPORTED', `${path} is an ES module, and namespace ${ns} can be closed`, {
    found: 'an ES module',
    expected: 'CommonJS, or a transformer',
    remedy:
      "Pass openNamespace() a `transform` that makes CommonJS of it (esbuild's transformSync, for instance), or open a permanent namespace.",
  });
}
