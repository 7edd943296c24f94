// A thread is cut by a vm timeout before any single atomic operation of what it does to the record of a module (clause 72) or the word of
// an interface (clause 73), and lives on: no reader sees a part, and done again it comes out as if it had not been cut.

import { afterEach, describe, expect, test } from 'vitest';
import { type CutRequest, runCut, steppingAtomics } from '../../workers/cutting.js';
import { BACKENDS, type Backend } from '../support/backends.js';
import { A, B, enter, forged, has, lib, loaded, loading } from '../support/module-words.js';
import { ownIdentity, UNKNOWABLE } from '../support/threads.js';

const { readModule, markLoaded, leaveModule } = lib.moduleRecords;
const X = ownIdentity();
const TIMEOUTS = [5, 20, 80, 320, 1280];
const DONE = (0x80000001n << 32n) | (-1n << 63n);

const { Atomics: real } = globalThis;
afterEach(() => {
  globalThis.Atomics = real;
});

type Parties = ReturnType<typeof forged>;

const PLAYS: Readonly<Record<string, { forge(backend: Backend): Parties; run(parties: Parties): unknown }>> = {
  'entering another build': {
    forge: (backend) => forged(backend, { once5: DONE, ...has(2, UNKNOWABLE, loaded(4)) }),
    run: ({ record }) => enter(record, B, '/elsewhere/b.js'),
  },
  'entering the same build': {
    forge: (backend) => forged(backend, { once5: DONE, ...has(2, UNKNOWABLE, loaded(5)) }),
    run: ({ record }) => enter(record, A, '/elsewhere/a.js'),
  },
  'being refused': {
    forge: (backend) => forged(backend, { once5: DONE, ...has(2, UNKNOWABLE, loaded(5)) }),
    run: ({ record }) => enter(record, B, '/elsewhere/b.js'),
  },
  'being loaded': {
    forge: (backend) => forged(backend, has(1, X, loading(5))),
    run: ({ record }) => markLoaded(record),
  },
  leaving: {
    forge: (backend) => forged(backend, has(1, X, loaded(5))),
    run: ({ record }) => leaveModule(record),
  },
  'implementing an interface': {
    forge(backend) {
      const parties = forged(backend);
      lib.noteInterface(parties.area, 'i', 1, parties.record.index + 9);
      return parties;
    },
    run: ({ area, record }) => lib.noteInterface(area, 'i', 1, record.index),
  },
};

/** Cut before this step, with more time where a busy machine was too slow to get there; undefined: there are fewer steps. */
function cutBefore(step: number, make: () => Parties, run: (parties: Parties) => unknown): Parties | undefined {
  for (const timeout of TIMEOUTS) {
    const parties = make();
    const request: CutRequest = { operation: '', step, position: 'before', timeout, goOn: true };
    globalThis.Atomics = steppingAtomics() as unknown as typeof Atomics;
    let ended = false;
    const { stopped, thrown } = runCut(() => {
      run(parties);
      ended = true;
    }, request);
    globalThis.Atomics = real;
    if (thrown !== undefined) throw thrown;
    if (stopped) return parties;
    if (ended) return undefined;
  }
  throw new Error(`it was not stopped before step ${step}`);
}

describe.each(BACKENDS)('%s', (backend) => {
  test.each(Object.entries(PLAYS))('%s', (_, { forge, run }) => {
    const whole = forge(backend);
    const outcome = run(whole);
    const expected = { ...whole.words.state(), interfaces: lib.inspectModules(whole) };
    let cuts = 0;
    for (let step = 1; ; step++) {
      const parties = cutBefore(step, () => forge(backend), run);
      if (parties === undefined) break;
      cuts++;
      const seen = readModule(parties.record);
      if (seen !== undefined) {
        const build = [seen.generation, seen.fingerprint, seen.path];
        expect(build).toEqual(seen.fingerprint === A ? [5, A, '/of/a.js'] : [6, B, '/elsewhere/b.js']);
      }
      expect(run(parties)).toEqual(outcome);
      expect({ ...parties.words.state(), interfaces: lib.inspectModules(parties) }).toEqual(expected);
    }
    expect(cuts).toBeGreaterThan(1);
  });
});
