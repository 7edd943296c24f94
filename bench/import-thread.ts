// A fresh worker of the topic import: attaches and registers, and sends how many ms that took; or, if it is told so, how many its
// first CPU number took after that.

import { parentPort, workerData } from 'node:worker_threads';
import { attach, register } from 'coexist';

let started = performance.now();
attach();
const registration = register();
if (workerData === true) {
  started = performance.now();
  registration.cpuId();
}
parentPort?.postMessage(performance.now() - started);
