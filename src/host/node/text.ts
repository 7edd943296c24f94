// Bytes and text, by Node's own Buffer: a vm context has neither the global Buffer nor TextEncoder.

import type { TextMemory } from '../host.js';
import { Buffer } from './builtin.js';

export const encodeUtf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');
export const decodeUtf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
export const decodeBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

/** A Buffer itself: its methods for one encoding are native, and take shared memory. */
export const textIn = (buffer: ArrayBufferLike): TextMemory => Buffer.from(buffer) as Buffer & TextMemory;
