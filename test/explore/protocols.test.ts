// The protocols of the library raise no alarm, a little way into their schedules; npm run explore goes far.

import { explore } from 'coexist/explore';
import { describe, expect, test } from 'vitest';
import { BACKENDS, moduleOf, protocols, SHORT } from '../../workers/explore-protocols.js';

const CORE = new URL('../../dist/core.js', import.meta.url);
const BUILD = new URL('../../build/workers/', import.meta.url);

describe.each(protocols)('$name', (protocol) => {
  describe.each(BACKENDS)('on %s', (backend) => {
    test.each(protocol.short ?? SHORT)('$threads threads, $maxPreemptions preemptions, $kills kills', async (reach) => {
      const { threads, maxPreemptions, kills, random } = reach;
      const result = await explore({
        module: moduleOf(protocol, BUILD),
        data: { core: CORE.href, backend, threads },
        maxPreemptions,
        kills,
        timeouts: protocol.timeouts,
        ...(random === undefined ? {} : { mode: 'random', budget: { schedules: random } }),
      });
      expect(result.failure).toBeUndefined();
      expect(result.exhausted).toBe(random === undefined);
    });
  });
});
