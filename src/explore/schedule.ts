// A schedule as text: its decisions that were not the first option, each as its place, its kind and what was taken.
// "x1:4s1.9k0" preempts for thread 1 at decision point 4 and kills thread 0 at decision point 9.

import { invalid } from '../core.js';
import { type Control, DEPTH, KINDS, REPLAY_LENGTH } from './control.js';

const VERSION = 'x1:';

/** The schedule under way, or the last one. */
export function encodeSchedule({ c, ticks, kinds, choices, values }: Control): string {
  const decisions: string[] = [];
  for (let d = 0; d < (c[DEPTH] as number); d++) {
    if (choices[d] !== 0) decisions.push(`${ticks[d]}${KINDS[kinds[d] as number]}${values[d]}`);
  }
  return VERSION + decisions.join('.');
}

export function checkSchedule(text: unknown): void {
  if (typeof text === 'string' && /^x1:(?:\d+[sfykxc]\d+(?:\.\d+[sfykxc]\d+)*)?$/.test(text)) return;
  throw invalid('replay', text, 'the schedule of a failure, such as "x1:4s1.9k0"');
}

export function decodeSchedule(text: string, { c, replay }: Control): void {
  const decisions = text.slice(VERSION.length).split('.').filter(Boolean);
  c[REPLAY_LENGTH] = Math.min(decisions.length, replay.ticks.length);
  for (let k = 0; k < (c[REPLAY_LENGTH] as number); k++) {
    const [, tick, kind, value] = /^(\d+)(\w)(\d+)$/.exec(decisions[k] as string) ?? [];
    replay.ticks[k] = Number(tick);
    replay.kinds[k] = KINDS.indexOf(kind as (typeof KINDS)[number]);
    replay.values[k] = Number(value);
  }
}
