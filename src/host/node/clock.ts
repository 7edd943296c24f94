// Clock and timers from Node's own modules. Not the globals: a vm context has none of them, and Node loads `performance` lazily,
// which the bridge may have interrupted in the main thread half-way.

import { process, timers } from './builtin.js';

/** Monotonic, in ms. */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** Calls back every so many ms, keeping the event loop alive, until the returned function is called. */
export function every(ms: number, listener: () => void): () => void {
  const interval = timers.setInterval(listener, ms);
  return () => timers.clearInterval(interval);
}

/** Calls back once, unless the returned function is called before. */
export function after(ms: number, listener: () => void): () => void {
  const timeout = timers.setTimeout(listener, ms);
  return () => timers.clearTimeout(timeout);
}

/** Calls back once, when the event loop has turned. */
export function soon(listener: () => void): void {
  timers.setImmediate(listener);
}

/** Calls back once, without keeping the event loop alive. */
export function later(ms: number, listener: () => void): void {
  timers.setTimeout(listener, ms).unref();
}
