// Node's answers to the questions of src/host/graphs.ts.

import type { GraphHost, ImportHooks } from '../graphs.js';
import { process } from './builtin.js';
import { bridgeRefusal } from './inspector.js';
import { createRoot, link, onExit, removeRoot, unlink } from './links.js';
import { NOT_LOADED, pathOf, questionFor, resolveWith } from './module-hooks.js';
import {
  forget,
  isRequired,
  patchCompiling,
  patchCompilingOfModules,
  patchLoading,
  patchResolution,
  required,
  requirePath,
  resolveRequire,
} from './require-hooks.js';

const url = process.getBuiltinModule('node:url');
const nodeModule = process.getBuiltinModule('node:module') as typeof import('node:module') & {
  /** Since Node 22.15 and 23.5. */
  registerHooks?(hooks: { resolve?: unknown; load?: unknown }): { deregister(): void };
};

/** What a module does as the process ends may load more. */
let removedLast = (): void => {};
/** Where the permission model is on. */
const { permission } = process as { permission?: { has(scope: string): boolean } };

export const nodeGraphs: GraphHost = {
  createRoot(prefix) {
    const root = createRoot(prefix);
    removedLast = onExit(() => {
      try {
        removeRoot(root);
      } catch {
        // Swept by a later thread.
      }
    });
    return root;
  },
  link,
  unlink,
  obstacle: () =>
    nodeModule.registerHooks === undefined && permission?.has('worker') === false
      ? 'there is no leave to start the thread of the module hooks'
      : undefined,
  install(decisions): ImportHooks {
    patchResolution(decisions);
    patchLoading(decisions);
    if (nodeModule.registerHooks !== undefined) {
      nodeModule.registerHooks({ resolve: resolveWith(decisions) });
      return { thread: undefined };
    }
    return {
      thread: {
        start(data, transfer) {
          nodeModule.register(new URL('./namespace-hooks.js', import.meta.url), {
            data,
            transferList: transfer as never[],
          });
        },
      },
    };
  },
  compile: patchCompiling,
  onRequiredModule(check) {
    if (nodeModule.registerHooks === undefined) patchCompilingOfModules(check);
  },
  async ask(id, specifier, parent) {
    try {
      await import(questionFor({ id, specifier, parent }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== NOT_LOADED) throw error;
    }
  },
  resolveRequire,
  async import(at, json) {
    try {
      return await (json ? import(at, { with: { type: 'json' } }) : import(at));
    } finally {
      removedLast();
    }
  },
  require(at) {
    try {
      return requirePath(at);
    } finally {
      removedLast();
    }
  },
  isRequired,
  required,
  forget,
  isImported,
  isBuiltin: (specifier) => nodeModule.isBuiltin(specifier),
  pathOf,
  urlOf: (at) => url.pathToFileURL(at).href,
  caller,
  onExit,
};

/**
 * The debugger lists what has been compiled. An import would tell it, too, and where it is not loaded fail it for good: Node keeps the
 * first outcome of a load. The session is gone before anything runs, so nothing can pause.
 */
function isImported(at: string): boolean {
  if (bridgeRefusal() !== undefined) return false;
  let found = false;
  try {
    const session = new (process.getBuiltinModule('node:inspector').Session)();
    session.connect();
    session.on('Debugger.scriptParsed', ({ params }) => {
      found ||= params.url === at;
    });
    session.post('Debugger.enable');
    session.post('Debugger.disable');
    session.disconnect();
  } catch {
    // A Node without an inspector.
  }
  return found;
}

/** Whatever the program makes of stack traces, this one is as the engine gives it. */
function caller(): string | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error;
  let files: (string | undefined)[] = [];
  try {
    Error.stackTraceLimit = 50;
    Error.prepareStackTrace = (_, sites) => {
      files = sites.map((site) => site.getFileName() ?? undefined);
      return '';
    };
    // Reading it is what prepares it.
    void new Error('caller').stack;
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
  const own = files[0];
  const found = files.find((file) => file !== undefined && file !== own && !file.startsWith('node:'));
  return found?.startsWith('file:') ? pathOf(found) : found;
}
