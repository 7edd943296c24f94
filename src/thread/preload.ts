// What node --import coexist/preload does: the main thread attaches, so that every worker finds the area by inheritance. A
// worker, which inherits the flag, does nothing. A failure is reported, and left to the program's own attach() to throw.

import { host } from '../host/host.js';
import { attach } from './area.js';

export function preload(): void {
  if (!host.isMainThread) return;
  try {
    attach();
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    host.warn(`coexist/preload could not attach: ${message}`, code ?? 'COEXIST_EANCHOR');
  }
}
