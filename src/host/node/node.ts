// Node's answers to the questions of src/host/host.ts.

import type { Host } from '../host.js';
import { anchor, anchored } from './anchor.js';
import { process, workerThreads } from './builtin.js';
import { channel } from './channel.js';
import { after, every, later, now, soon } from './clock.js';
import { clone } from './clone.js';
import { openCpu, possibleCpus } from './cpu.js';
import { onThreadEnd } from './ends.js';
import { bridgeRefusal, evaluateInMain } from './inspector.js';
import { modules } from './modules.js';
import { identity, liveness, osThreadId } from './proc.js';
import { runtime } from './runtime.js';
import { decodeBase64, decodeUtf8, encodeUtf8, textIn } from './text.js';

export const nodeHost: Host = {
  name: 'node',
  runtime,
  get isMainThread() {
    return workerThreads().isMainThread;
  },
  get threadId() {
    return workerThreads().threadId;
  },
  setting: (name) => process.env[name],
  anchored,
  anchor,
  inherited: (key) => workerThreads().getEnvironmentData(key),
  bequeath: (key, value) => workerThreads().setEnvironmentData(key, value as never),
  channel,
  bridgeRefusal,
  evaluateInMain,
  identity,
  liveness,
  osThreadId,
  onThreadEnd,
  openCpu,
  possibleCpus,
  now,
  every,
  after,
  soon,
  later,
  encodeUtf8,
  decodeUtf8,
  decodeBase64,
  textIn,
  clone,
  modules,
  storesWhole64: process.arch === 'x64' || process.arch === 'arm64',
  warn: (message, code) => process.emitWarning(message, { type: 'CoexistWarning', code }),
};
