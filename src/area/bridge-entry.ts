// What a worker evaluates in the main thread: find or create the area there, and send it back. Built into one constant
// expression by scripts/build.js; never called in the thread that imports the library.

import type { CoexistError } from '../abi/errors.js';
import { host } from '../host/host.js';
import { findOrCreate } from './publish.js';

export function answer(replyChannel: string): void {
  const reply = host.channel(replyChannel);
  try {
    reply.post({ area: findOrCreate()?.value });
  } catch (error) {
    const { code, message } = error as CoexistError;
    reply.post({ error: { code: String(code), message } });
  }
  reply.close();
}
