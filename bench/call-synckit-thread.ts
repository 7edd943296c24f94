// synckit's server of the topic call.

import { runAsWorker } from 'synckit';
import { type Method, methods } from './call-peers.js';
import { pin } from './pin.js';

pin(Number(process.env['BENCH_CORE']));
runAsWorker((method: Method, argument: unknown) =>
  method === 'next' ? methods.next(argument as number) : methods.echo(argument),
);
