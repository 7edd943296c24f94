// Why a module is not loaded, as data, and the outcome that whoever asked for it, or for one that depends on it, is given.

import { CoexistError, show } from '../abi/errors.js';
import type { Outcome, RefusalReason } from './outcome.js';
import type { Missing, Refusal } from './refusals.js';
import type { Ending } from './thread-state.js';

/** Why a module was not let in, or that there is none. */
export function endingOf(refused: Refusal | Missing): Ending {
  if (refused.outcome === 'absent') return absence(refused.missing, refused.message);
  const { outcome, reason, culprit, error } = refused;
  return { outcome, reason, culprit, message: error.message, error };
}

export function absence(culprit: string, message: string): Ending {
  return { outcome: 'absent', culprit, message };
}

/** What a module threw while `doing`. */
export function failure(culprit: string, doing: string, thrown: unknown): Ending {
  const problem = `${subject(culprit)} failed while ${doing}: ${textOf(thrown).replace(/\.$/, '')}`;
  const error = new CoexistError('COEXIST_EFAILED', problem, {
    found: thrown,
    expected: 'a module that can be loaded',
    remedy: 'Mend what it threw; nothing of a module that failed is left, and it can be loaded again.',
    cause: thrown,
  });
  return { outcome: 'failed', culprit, message: error.message, error };
}

/** What evaluate() threw, which says all that there is to say. */
export const failedWith = (culprit: string, error: CoexistError): Ending => ({
  outcome: 'failed',
  culprit,
  message: error.message,
  error,
});

export function late(culprit: string, doing: string, timeout: number): Ending {
  const problem = `${subject(culprit)} was still ${doing} after ${timeout} ms`;
  const error = new CoexistError('COEXIST_ETIMEDOUT', problem, {
    found: timeout,
    expected: 'an end within this time, in ms',
    remedy: 'Let it finish sooner, or pass a longer timeout; nothing of a module that failed is left.',
  });
  return { outcome: 'failed', culprit, message: error.message, error };
}

export function givenUp(culprit: string, doing: string, why: unknown): Ending {
  const problem = `${subject(culprit)} was given up while ${doing}: ${textOf(why)}`;
  const error = new CoexistError('COEXIST_EABORTED', problem, {
    found: why,
    expected: 'a load that goes on to its end',
    remedy: 'Nothing of a module that was given up is left; it can be loaded again.',
    cause: why,
  });
  return { outcome: 'failed', culprit, message: error.message, error };
}

/** Whose initialisers belong to no module. */
export const PROGRAM = '';

const subject = (culprit: string): string => (culprit === PROGRAM ? 'the program' : `module ${show(culprit)}`);

/** What whoever asked for `name` is given. `chain` leads from it to the culprit. */
export function outcomeOf(name: string, ending: Ending, chain: readonly string[]): Outcome {
  const { culprit, outcome, error, reason } = ending;
  const message = culprit === name ? ending.message : `${ending.message} (${chain.join(' -> ')})`;
  if (outcome === 'absent') return { outcome, name, missing: culprit, message, chain };
  if (outcome === 'failed') return { outcome, name, culprit, message, error: error as CoexistError, chain };
  return { outcome, name, reason: reason as RefusalReason, culprit, message, error: error as CoexistError, chain };
}

/** What was thrown, in a line; what has no text is said to have none. */
export function textOf(thrown: unknown): string {
  try {
    const text = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
    return text.replaceAll(/\s+/g, ' ').slice(0, 300);
  } catch {
    return 'something without a text';
  }
}
