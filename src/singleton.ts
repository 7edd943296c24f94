// coexist/singleton: one instance for the process, that exists once, is counted by thread, and never dangles.

export type { WaitOptions } from './core.js';
