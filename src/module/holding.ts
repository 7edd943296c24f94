// This thread's row in a module's record, counted: a load that was given up inside a process-wide initialiser keeps the row, and the
// next load of the same module may come and go meanwhile.

import { leaveModule, type ModuleRecord } from './record.js';
import { threadModules } from './thread-state.js';

const keyOf = (record: ModuleRecord): string => `${record.core.id}:${record.index}`;

export function hold(record: ModuleRecord): void {
  const { holds } = threadModules();
  holds.set(keyOf(record), (holds.get(keyOf(record)) ?? 0) + 1);
}

export function release(record: ModuleRecord): void {
  const { holds } = threadModules();
  const left = (holds.get(keyOf(record)) ?? 1) - 1;
  if (left > 0) {
    holds.set(keyOf(record), left);
    return;
  }
  holds.delete(keyOf(record));
  leaveModule(record);
}
