// One group of a topic in a process of its own: child.js <topic> <group>. Sends its rows to main.ts.

import { topics } from './topics.js';

const [topic = '', name = ''] = process.argv.slice(2);
const group = topics[topic]?.[name];
if (group === undefined) throw new Error(`no group ${topic} ${name}`);
process.send?.(await group());
process.disconnect();
