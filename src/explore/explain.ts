// A result as text.

import type { ExploreResult } from './types.js';

/**
 * The result in a few lines: what was run, and for a failure its error, its trace and how to replay it.
 * @since 0.1.0
 */
export function explain(result: ExploreResult): string {
  const { failure, trace, schedules, allSchedules, allOperations, preemptions, complete, exhausted, seed } = result;
  const reach = complete
    ? 'every schedule'
    : exhausted
      ? `every schedule with at most ${preemptions} preemptions`
      : `not exhausted at ${preemptions} preemptions`;
  const counts = `${schedules} schedules (${allSchedules} in all, ${allOperations} operations), ${reach}, seed ${seed}`;
  if (failure === undefined) return [`no failure: ${counts}`, ...trace.map((line) => `  ${line}`)].join('\n');
  const { kind, thread, error, schedule } = failure;
  return [
    `${kind} in T${thread}: ${error.message}`,
    `after ${counts}`,
    ...trace.map((line) => `  ${line}`),
    `replay: ${JSON.stringify(schedule)}`,
  ].join('\n');
}
