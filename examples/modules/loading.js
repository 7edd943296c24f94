// The program as a process: says when it is ready, and what it takes. Its parts are files beside it, none of which it has read.
// @ts-check

import { run } from './run.js';

await run();
