// The same program with its parts imported statically. Not one line of them is different: what a module declares is the program's own then.
// @ts-check

import './parts/block-core.js';
import './parts/block-zip.js';
import './parts/block-sqlite.js';
import './parts/ui-report.js';
import { run } from './run.js';

await run();
