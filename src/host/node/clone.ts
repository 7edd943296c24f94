// The engine's structured clone as bytes, by v8.Serializer, and what it cannot carry: bytes hold no shared memory and no compiled
// module, they lose what Node clones by its own means (Blob, KeyObject...), and take what Node refuses. So whatever is neither plain
// nor the engine's own is foreign: it goes through message passing first, and what is foreign even then needs that for the way, too.

import type { EngineClone } from '../host.js';
import { types, v8, workerThreads } from './builtin.js';

export const clone: EngineClone = {
  foreign,
  cloned,
  write,
  read,
  detach,
  isProxy: types.isProxy,
  isError: (value): value is Error => types.isNativeError(value) || value instanceof Error,
};

const OBJECT = Object.prototype;
/** Functions and symbols are none: the serialiser refuses them itself. */
function foreign(root: unknown): boolean {
  const seen = new Set<object>();
  // A stack of its own: a list of a million links is no reason to overflow this thread's.
  const open: object[] = [];
  const meet = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    seen.add(value);
    open.push(value);
  };
  meet(root);
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (Array.isArray(value) || isPlain(value)) {
      // Of an array, what is there, however long it is.
      for (const of of Object.values(value)) meet(of);
    } else if (types.isMap(value)) {
      Map.prototype.forEach.call(value, (of, key) => {
        meet(key);
        meet(of);
      });
    } else if (types.isSet(value)) {
      Set.prototype.forEach.call(value, meet);
    } else if (ArrayBuffer.isView(value)) {
      if (types.isSharedArrayBuffer(value.buffer)) return true;
    } else if (types.isNativeError(value)) {
      // Node's own errors (DOMException) have a tag of their own.
      if (OBJECT.toString.call(value) !== '[object Error]') return true;
      if (Object.hasOwn(value, 'cause')) meet(value.cause);
    } else if (!isOfEngine(value)) {
      return true;
    }
  }
  return false;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === OBJECT || prototype === null) return true;
  // Another realm's Object.prototype.
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf');
}

const isOfEngine = (value: object): boolean =>
  types.isDate(value) || types.isRegExp(value) || types.isBoxedPrimitive(value) || types.isArrayBuffer(value);

/** Not the global structuredClone, which a vm context does not have. */
function cloned(value: unknown): unknown {
  const { MessageChannel, receiveMessageOnPort } = workerThreads();
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(value);
    return (receiveMessageOnPort(port2) as { message: unknown }).message;
  } finally {
    port1.close();
  }
}

/** Not v8.serialize, which writes the bytes of each view by themselves: two views of one buffer would arrive on two. */
function write(value: unknown): Uint8Array {
  const serializer = new (v8().Serializer)();
  serializer.writeHeader();
  serializer.writeValue(value);
  return serializer.releaseBuffer();
}

function read(bytes: Uint8Array): unknown {
  // The default one also reads what v8.serialize has written.
  const deserializer = new (v8().DefaultDeserializer)(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}

function detach(buffers: readonly ArrayBuffer[]): void {
  const { port1 } = new (workerThreads().MessageChannel)();
  try {
    port1.postMessage(undefined, buffers);
  } finally {
    port1.close();
  }
}
