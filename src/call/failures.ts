// What calls fail with, besides what their methods throw.

import { CoexistError, show } from '../abi/errors.js';

export const gone = (name: string): CoexistError =>
  new CoexistError('COEXIST_EGONE', `nobody serves ${show(name)} any more`, {
    found: 'a server that has closed, or whose thread has ended',
    expected: 'a server that lives',
    remedy: 'Whether a call that was under way has run is not known; call again once somebody serves the name.',
  });

export const closed = (name: string): CoexistError =>
  new CoexistError('COEXIST_EGONE', `this client of ${show(name)} was closed`, {
    found: 'a closed client',
    expected: 'one that is open',
    remedy: 'Connect anew.',
  });

export const unknownMethod = (name: string, method: unknown, methods: readonly string[]): CoexistError =>
  new CoexistError('COEXIST_EINVAL', `${show(name)} has no method ${show(method)}`, {
    found: method,
    expected: methods,
    remedy: `It serves ${methods.length === 0 ? 'none' : methods.map(show).join(', ')}; nothing was sent.`,
  });

export const notCloned = (name: string, method: string, args: readonly unknown[], cause: unknown): CoexistError =>
  notClonedButBusy(cause) ??
  new CoexistError(
    'COEXIST_EINVAL',
    `the arguments of ${show(method)} of ${show(name)} cannot be cloned (${args.map(show).join(', ')}): ${messageOf(cause)}`,
    {
      found: args,
      expected: 'values that structuredClone accepts',
      remedy: 'Pass data, not functions; nothing was sent.',
      cause,
    },
  );

export const resultNotCloned = (method: string | undefined, result: unknown, cause: unknown): CoexistError =>
  notClonedButBusy(cause) ??
  new CoexistError(
    'COEXIST_EINVAL',
    `the result of ${show(method)} cannot be cloned (${show(result)}): ${messageOf(cause)}`,
    {
      found: show(result),
      expected: 'a value that structuredClone accepts',
      remedy: 'Let the method return data; it has run.',
      cause,
    },
  );

export const wouldWaitForItself = (name: string, method: string, taken: boolean): CoexistError =>
  new CoexistError(
    'COEXIST_EDEADLK',
    `${show(method)} of ${show(name)} is served by this thread, which ${taken ? 'would wait for its promise' : 'serves nothing while it blocks'}`,
    {
      found: 'a server in the same thread',
      expected: taken ? 'a method that returns its result' : 'a server in another thread, or one with nested: true',
      remedy: 'Use call(), which waits in the event loop.',
    },
  );

/** Reason of a method's signal. */
export const callerGone = (): CoexistError =>
  new CoexistError('COEXIST_EABORTED', 'nobody waits for the result of this call any more', {
    found: 'a caller that gave up or died, or a server that was closed',
    expected: 'a caller that waits',
    remedy: 'Stop; what the method returns is dropped.',
  });

export const cutOff = (method: string | undefined): CoexistError =>
  new CoexistError('COEXIST_EABORTED', `${show(method)} was cut by a timeout of its server's thread`, {
    found: 'a method that did not end',
    expected: 'a method that returns or throws',
    remedy: 'How far it came is not known.',
  });

/** It could be cloned, but not be posted just now. */
const notClonedButBusy = (cause: unknown): CoexistError | undefined =>
  cause instanceof CoexistError && cause.code === 'COEXIST_EBUSY' ? cause : undefined;

const messageOf = (error: unknown): string => String((error as Error | null)?.message ?? error);
