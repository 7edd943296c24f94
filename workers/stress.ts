// npm run stress -- TOPIC: see stress-main.ts.

import process from 'node:process';
import { stress } from './stress-main.js';

process.exitCode = await stress(process.argv.slice(2), 'npm run stress --');
