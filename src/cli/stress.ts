// coexist stress TOPIC: the command of workers/stress-main.ts, which the package has beside its entries.

import type { Command } from './command.js';

interface StressModule {
  stress(args: readonly string[], name: string): Promise<number>;
}

export const stressCommand: Command = {
  async run(args) {
    const file = new URL('./stress/stress-main.js', import.meta.url).href;
    const { stress } = (await import(file)) as StressModule;
    return stress(args, 'coexist stress');
  },
};
