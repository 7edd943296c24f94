// The topics of the stress runs on per-CPU data, by name.

import { counterTopic } from './stress-counter.js';
import type { Topic } from './stress-data-topic.js';
import { percpuTopic } from './stress-percpu.js';
import { poolTopic } from './stress-pool.js';

export const TOPICS: Readonly<Record<string, Topic>> = {
  counter: counterTopic,
  percpu: percpuTopic,
  pool: poolTopic,
};
