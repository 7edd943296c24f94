// The namespaces of this thread: one state, one set of hooks and one list of handles for all copies of the library, on an anchor. Whoever
// comes first makes it; the functions of later copies, those loaded inside a namespace among them, are the first one's.

import { CoexistError } from '../abi/errors.js';
import { graphs } from '../host/graphs.js';
import { anchor, anchored } from '../host/node/anchor.js';
import { process } from '../host/node/builtin.js';
import { createDecisions, type Decisions } from './decisions.js';
import { alone, type Changes, LOCK_BYTES, replicated } from './replica.js';
import { refuseImports } from './required.js';
import { newState, type State, type StateEvent } from './state.js';
import { ROOT_PREFIX, type Tags, tagsIn } from './tags.js';

const KEY = 'coexist.namespaces.v1';

export interface ThreadGraphs {
  readonly state: State;
  readonly tags: Tags;
  readonly changes: Changes;
  readonly decisions: Decisions;
}

type Observer = (event: StateEvent) => void;

const observers = new Set<Observer>();
let installed: ThreadGraphs | undefined;

/** Of this copy of the library only. Returns the way to stop. */
export function onStateEvent(observer: Observer): () => void {
  observers.add(observer);
  return () => observers.delete(observer);
}

/** The hooks, installed at the first call. @throws COEXIST_EUNSUPPORTED */
export function graphsOfThread(): ThreadGraphs {
  if (installed !== undefined) return installed;
  const root = createRoot();
  const tags = tagsIn(root);
  const state = newState();
  const tell: Observer = (event) => {
    for (const observer of observers) observer(event);
  };
  // On Node 20 known only behind install(), and asked only then.
  let changes = alone(state, tell);
  const late: Changes = { locked: (run) => changes.locked(run), emit: (event) => changes.emit(event) };
  let pastHooks = false;
  const decisions = createDecisions(state, tags, late, () => pastHooks);
  const { thread } = graphs.install(decisions);
  pastHooks = thread !== undefined;
  if (thread !== undefined) {
    const { port1, port2 } = new (process.getBuiltinModule('node:worker_threads').MessageChannel)();
    port1.unref();
    const lock = new SharedArrayBuffer(LOCK_BYTES);
    thread.start({ port: port2, lock, root, state }, [port2]);
    changes = replicated(state, port1, lock, tell);
  }
  graphs.onRequiredModule(refuseImports(decisions));
  installed = { state, tags, changes: late, decisions };
  return installed;
}

function createRoot(): string {
  if (process.platform === 'win32') {
    throw unsupported('there are no links that one path of all drives could lead through', process.platform);
  }
  const obstacle = graphs.obstacle();
  if (obstacle !== undefined) throw unsupported(obstacle, 'no leave');
  let root: string | undefined;
  try {
    root = graphs.createRoot(ROOT_PREFIX);
    // What the permission model refuses, it refuses here and not in the middle of a load.
    graphs.link(root, '0');
    graphs.unlink(root, '0');
    return root;
  } catch (cause) {
    throw unsupported('links cannot be made in the directory for temporary files', (cause as Error).message, cause);
  }
}

function unsupported(problem: string, found: unknown, cause?: unknown): CoexistError {
  return new CoexistError('COEXIST_EUNSUPPORTED', `namespaces are not to be had here: ${problem}`, {
    found,
    expected: 'a file system with symbolic links, and leave to make them',
    remedy:
      'Give the process a writable TMPDIR, and where the permission model is on leave to read and write files ' +
      '(--allow-fs-read=* --allow-fs-write=*; on Node 20 also --allow-worker), which links take.',
    cause,
  });
}

/** One value for all copies of this thread. @throws COEXIST_EANCHOR */
export function shared<T extends { readonly version: 1 }>(make: () => T): T {
  const found = anchored(KEY) ?? anchor(KEY, make());
  if (typeof found === 'object' && found !== null && (found as T).version === 1) return found as T;
  throw new CoexistError('COEXIST_EANCHOR', `the anchor ${KEY} holds something else, or cannot be set`, {
    found,
    expected: 'the namespaces of this thread, version 1',
    remedy: 'Leave Symbol.for keys of coexist on node:worker_threads alone.',
  });
}
