// The topics of npm run bench, by name.

import { aggregate } from './aggregate.js';
import { claim } from './claim.js';
import { counter } from './counter.js';
import { importing } from './import.js';
import type { Topic } from './kit.js';
import { register } from './register.js';

export const topics: Readonly<Record<string, Topic>> = { register, claim, counter, aggregate, import: importing };
