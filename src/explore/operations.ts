// The operations that the explorer steps, by number: the numbers travel from the stepping wasm to the scheduler and into traces.

export const OPERATION_NAMES = [
  'load',
  'store',
  'add',
  'sub',
  'and',
  'or',
  'xor',
  'exchange',
  'compareExchange',
  'wait',
  'notify',
  'pause',
  'liveness',
] as const;

export const LOAD = 0;
export const STORE = 1;
export const EXCHANGE = 7;
export const COMPARE_EXCHANGE = 8;
export const WAIT = 9;
export const NOTIFY = 10;
export const PAUSE = 11;
export const LIVENESS = 12;
