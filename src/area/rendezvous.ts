// How a thread comes to the area that the whole process shares (docs/ABI.md, clause 5): anchor, environment data, create in
// main, bridge, ask. The synchronous form blocks for at most the bridge's timeout; the asynchronous one never blocks.

import expression from 'coexist:bridge-expression';
import { CoexistError, invalid } from '../abi/errors.js';
import { AREA_KEY } from '../abi/header.js';
import type { Channel, Evaluation } from '../host/host.js';
import { host } from '../host/host.js';
import { type Found, listen } from './conflict.js';
import { findOrCreate, publish } from './publish.js';

/** Main may sit in a long native call; an answer usually takes 1 to 7 ms. */
const DEFAULT_TIMEOUT_MS = 5000;
const ASK_INTERVAL_MS = 100;
const POLL_MS = 0.25;

export interface AttachOptions {
  /** How long to wait for the main thread, in ms. Default 5000. */
  readonly timeout?: number | undefined;
}

export interface AttachAsyncOptions extends AttachOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The area, found or created, without turning the event loop.
 * @throws COEXIST_ERENDEZVOUS, COEXIST_EABI, COEXIST_EANCHOR, COEXIST_EINVAL
 */
export function rendezvous({ timeout = DEFAULT_TIMEOUT_MS }: AttachOptions): Found {
  checkTimeout(timeout);
  const found = findOrCreate();
  if (found !== undefined) return found;

  const reply = replyName();
  const channel = host.channel(reply);
  let bridge: Evaluation | undefined;
  try {
    const opened = openBridge(reply);
    if ('refused' in opened) throw nowhere(opened.refused);
    bridge = opened.bridge;
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    const deadline = host.now() + timeout;
    for (;;) {
      const answer = channel.poll();
      if (answer !== undefined) return join(answer.message);
      if (host.now() > deadline) throw nowhere(`the main thread did not answer within ${timeout} ms`);
      Atomics.wait(sleeper, 0, 0, POLL_MS);
    }
  } finally {
    bridge?.end();
    channel.close();
  }
}

/**
 * The same without blocking; where the bridge is refused, it waits until the main thread attaches.
 * @throws (rejects) as `rendezvous`, and COEXIST_EABORTED
 */
export async function rendezvousAsync({ timeout = DEFAULT_TIMEOUT_MS, signal }: AttachAsyncOptions): Promise<Found> {
  checkTimeout(timeout);
  if (signal?.aborted) throw aborted(signal);
  const found = findOrCreate();
  if (found !== undefined) return found;

  const reply = replyName();
  const cleanups: (() => void)[] = [];
  try {
    return await new Promise<Found>((resolve, reject) => {
      const answers: Channel = host.channel(reply, (message) => {
        try {
          resolve(join(message));
        } catch (error) {
          reject(error);
        }
      });
      cleanups.push(() => answers.close());

      const opened = openBridge(reply);
      const refused = 'refused' in opened ? opened.refused : 'the main thread did not answer the bridge';
      if ('bridge' in opened) cleanups.push(() => opened.bridge.end());

      // Asked at once, whenever an area is announced, and every 100 ms; the interval keeps the event loop alive.
      const asking: Channel = host.channel(AREA_KEY, (message) => {
        if (typeof (message as { areaId?: unknown } | null)?.areaId === 'number') ask();
      });
      const ask = (): void => asking.post({ ask: reply });
      cleanups.push(
        host.every(ASK_INTERVAL_MS, ask),
        host.after(timeout, () => reject(nowhere(`${refused}; nor did the main thread attach within ${timeout} ms`))),
      );
      const onAbort = (): void => reject(aborted(signal as AbortSignal));
      signal?.addEventListener('abort', onAbort, { once: true });
      cleanups.push(
        () => asking.close(),
        () => signal?.removeEventListener('abort', onAbort),
      );
      ask();
    });
  } finally {
    for (const cleanup of cleanups) cleanup();
  }
}

function openBridge(reply: string): { bridge: Evaluation } | { refused: string } {
  const refused = host.bridgeRefusal();
  if (refused !== undefined) return { refused };
  try {
    return { bridge: host.evaluateInMain(`${expression}(${JSON.stringify(reply)})`) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { refused: `the inspector bridge was refused (${code ?? message})` };
  }
}

// The bridge answers { area } or { error }; who answers a question sends the bare value.
function join(message: unknown): Found {
  const { area, error } = (message ?? {}) as { area?: unknown; error?: { code: string; message: string } };
  if (error !== undefined) {
    if (error.code.startsWith('COEXIST_')) {
      throw new CoexistError(error.code as 'COEXIST_EINVAL', `in the main thread: ${error.message}`, {
        remedy: 'Correct it in the main thread.',
      });
    }
    throw nowhere(`the main thread failed: ${error.message}`);
  }
  const throughBridge = area !== undefined;
  const found = publish(throughBridge ? area : message);
  if (throughBridge) listen(found);
  return found;
}

function nowhere(cause: string): CoexistError {
  return new CoexistError('COEXIST_ERENDEZVOUS', `this worker found no area to join: ${cause}`, {
    found: cause,
    expected: 'an area that the main thread has made',
    remedy:
      'Import coexist and call attach() in the main thread before starting workers, or run node --import coexist/preload; ' +
      'or use attachAsync(), which waits until the main thread attaches.',
  });
}

function aborted(signal: AbortSignal): CoexistError {
  return new CoexistError('COEXIST_EABORTED', 'attachAsync() was aborted', {
    remedy: 'Nothing is attached; call it again.',
    cause: signal.reason,
  });
}

function checkTimeout(timeout: number): void {
  if (typeof timeout === 'number' && timeout >= 0 && timeout <= 2 ** 31 - 1) return;
  throw invalid('timeout', timeout, `a number of milliseconds from 0 to ${2 ** 31 - 1}`);
}

const replyName = (): string => `${AREA_KEY}.reply.${host.threadId}.${Math.random().toString(36).slice(2)}`;
