// What Node 20 runs in the thread of the module hooks: the decisions on a copy of the state.

import { resolveWith } from '../host/node/module-hooks.js';
import { createDecisions } from './decisions.js';
import { replicated } from './replica.js';
import type { State } from './state.js';
import { tagsIn } from './tags.js';

export interface HooksThreadData {
  readonly port: unknown;
  readonly lock: SharedArrayBuffer;
  readonly root: string;
  readonly state: State;
}

let hooks: ReturnType<typeof resolveWith> | undefined;

export function initialize({ port, lock, root, state }: HooksThreadData): void {
  const changes = replicated(state, port as never, lock, () => {});
  hooks = resolveWith(createDecisions(state, tagsIn(root), changes, () => true));
}

export const resolve: ReturnType<typeof resolveWith> = (specifier, context, next) =>
  hooks === undefined ? next(specifier, context) : hooks(specifier, context, next);
