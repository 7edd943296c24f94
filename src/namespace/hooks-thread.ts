// What Node 20 runs in the thread of the module hooks: the decisions on a copy of the state.

import { loadWith, resolveWith } from '../host/node/module-hooks.js';
import { createDecisions } from './decisions.js';
import { type Changes, replicated } from './replica.js';
import type { State } from './state.js';
import { tagsIn } from './tags.js';

export interface HooksThreadData {
  readonly port: unknown;
  readonly lock: SharedArrayBuffer;
  readonly root: string;
  readonly state: State;
}

let hooks: ReturnType<typeof resolveWith> | undefined;
let state: State | undefined;
let changes: Changes | undefined;

export function initialize(data: HooksThreadData): void {
  state = data.state;
  changes = replicated(state, data.port as never, data.lock, () => {});
  hooks = resolveWith(createDecisions(state, tagsIn(data.root), changes));
}

export const resolve: ReturnType<typeof resolveWith> = (specifier, context, next) =>
  hooks === undefined ? next(specifier, context) : hooks(specifier, context, next);

export const load: ReturnType<typeof loadWith> = loadWith(() => changes?.locked(() => state?.probe) ?? '');
