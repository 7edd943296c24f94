// coexist/call: calls between threads over shared memory, synchronous and asynchronous.

export {
  type CallContext,
  type CallOptions,
  type ChannelStatus,
  Client,
  type ConnectOptions,
  connect,
  type Methods,
  type MethodsOf,
  type ServeOptions,
  Server,
  serve,
  type WaitOptions,
} from './core.js';
