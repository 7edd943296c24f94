// The topics of the stress runs that pause to be counted, by name.

import { callTopic } from './stress-call.js';
import { counterTopic } from './stress-counter.js';
import type { Topic } from './stress-data-topic.js';
import { moduleTopic } from './stress-module.js';
import { percpuTopic } from './stress-percpu.js';
import { poolTopic } from './stress-pool.js';
import { singletonTopic } from './stress-singleton.js';

export const TOPICS: Readonly<Record<string, Topic>> = {
  counter: counterTopic,
  percpu: percpuTopic,
  pool: poolTopic,
  singleton: singletonTopic,
  call: callTopic,
  module: moduleTopic,
};
