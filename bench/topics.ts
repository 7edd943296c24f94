// The topics of npm run bench, by name.

import { aggregate } from './aggregate.js';
import { call } from './call.js';
import { claim } from './claim.js';
import { condvar } from './condvar.js';
import { counter } from './counter.js';
import { cpuid } from './cpuid.js';
import { explorer } from './explore.js';
import { histogram } from './histogram.js';
import { importing } from './import.js';
import { interfaces } from './interface.js';
import type { Topic } from './kit.js';
import { module } from './module.js';
import { mutex } from './mutex.js';
import { namespace } from './namespace.js';
import { once } from './once.js';
import { percpu } from './percpu.js';
import { pool } from './pool.js';
import { register } from './register.js';
import { ring } from './ring.js';
import { rwlock } from './rwlock.js';
import { semaphore } from './semaphore.js';
import { singleton } from './singleton.js';

export const topics: Readonly<Record<string, Topic>> = {
  register,
  cpuid,
  claim,
  counter,
  percpu,
  pool,
  aggregate,
  import: importing,
  mutex,
  rwlock,
  once,
  condvar,
  semaphore,
  histogram,
  ring,
  call,
  singleton,
  module,
  interface: interfaces,
  namespace,
  explore: explorer,
};
