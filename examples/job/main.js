// The main job: real work on real files in a pool of threads, in which two libraries that know nothing of each other share
// each thread's registration, while some of the threads are killed. Exits with 0, 1 (a check failed), 2 (bad arguments) or
// 130 (interrupted).
// @ts-check

import { parseArguments, USAGE, UsageError } from './arguments.js';
import { JOBS } from './jobs.js';

const INTERRUPTED = 130;

process.exitCode = await main(process.argv.slice(2));

/** @param {string[]} argv */
async function main(argv) {
  const interrupt = new AbortController();
  const onSignal = () => {
    // The second time, at once.
    if (interrupt.signal.aborted) process.exit(INTERRUPTED);
    interrupt.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    const options = parseArguments(argv, Object.keys(JOBS));
    if (options === 'help') {
      console.log(USAGE);
      return 0;
    }
    const job = await JOBS[options.job]?.();
    const code = await job?.run(options, interrupt.signal);
    return interrupt.signal.aborted ? INTERRUPTED : (code ?? 1);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${USAGE}`);
      return 2;
    }
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes("'coexist'")) {
      console.error(
        'an example library has no copy of coexist yet: run "npm start", or node scripts/install-examples.js',
      );
    } else {
      console.error(error);
    }
    return 1;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
