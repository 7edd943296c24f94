// Buffers that are handed over with a call: their bytes are copied like all others, and then they are detached here, so that nobody
// writes into what was passed on.

import { CoexistError, invalid } from '../abi/errors.js';
import { host } from '../host/host.js';

/**
 * Before anything is written.
 * @throws COEXIST_EINVAL
 */
export function checkTransfer(transfer: readonly unknown[]): void {
  transfer.forEach((buffer, k) => {
    if (Object.prototype.toString.call(buffer) !== '[object ArrayBuffer]') {
      throw invalid(`transfer[${k}]`, buffer, 'an ArrayBuffer');
    }
    if (transfer.indexOf(buffer) !== k) throw invalid(`transfer[${k}]`, buffer, 'each buffer once');
    if (isDetached(buffer as ArrayBuffer)) throw invalid(`transfer[${k}]`, 'detached', 'a buffer that is not detached');
  });
}

/**
 * After everything is written, before it is passed on. Detaches all or none.
 * @throws COEXIST_EINVAL
 */
export function detach(transfer: readonly ArrayBuffer[]): void {
  if (transfer.length === 0) return;
  try {
    host.clone.detach(transfer);
  } catch (cause) {
    throw new CoexistError('COEXIST_EINVAL', 'a buffer in transfer cannot be detached', {
      found: String(cause),
      expected: 'buffers of their own, not of a wasm memory or a pool',
      remedy: 'Leave it out of transfer: its bytes are copied all the same.',
      cause,
    });
  }
}

function isDetached(buffer: ArrayBuffer): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
