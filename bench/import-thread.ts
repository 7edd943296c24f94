// A fresh worker of the topic import: attaches and registers, and sends how many ms that took.

import { parentPort } from 'node:worker_threads';
import { attach, register } from 'coexist';

const started = performance.now();
attach();
register();
parentPort?.postMessage(performance.now() - started);
