// A thread of the topic aggregate: counts to a thousand in its own cell and in a variable, and answers with the variable.

import { parentPort } from 'node:worker_threads';
import { Counter } from 'coexist/percpu';

const counter = new Counter('bench/collected');
let count = 0;
for (; count < 1000; count++) counter.add(1);
parentPort?.on('message', () => parentPort?.postMessage(count));
parentPort?.postMessage(count);
