// The protocols of the library raise no alarm, a little way into their schedules; npm run explore goes far.

import { explore } from 'coexist/explore';
import { describe, expect, test } from 'vitest';
import { backendsOf, optionsOf, protocols, reachesOf } from '../../workers/explore-protocols.js';

const CORE = new URL('../../dist/core.js', import.meta.url).href;
const BUILD = new URL('../../build/workers/', import.meta.url);

describe.each(protocols)('$name', (protocol) => {
  describe.each(backendsOf(protocol))('on %s', (backend) => {
    test.each(reachesOf(protocol, false))(
      '$threads threads, $maxPreemptions preemptions, $kills kills',
      async (reach) => {
        const result = await explore(optionsOf(protocol, backend, reach, BUILD, CORE));
        expect(result.failure).toBeUndefined();
        expect(result.exhausted).toBe(reach.random === undefined);
        expect(result.wasmOperations > 0).toBe(backend === 'wasm');
      },
    );
  });
});
