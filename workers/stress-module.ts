// Stress topic module: threads load modules of two builds, through both copies of the library, while others die in the middle of a load or of
// an initialiser of the process. No two builds of a module are ever there at once, initialisers run once, an interface is a module's or its
// stubs, never a mixture, what has failed or was refused leaves nothing; and while all keep still, the process's record agrees with who lives.

import process from 'node:process';
import { MOST_KEPT } from './stress-data-ledger.js';
import {
  type Census,
  type Judge,
  type JudgeContext,
  settled,
  type ThreadContext,
  type Topic,
  type Work,
} from './stress-data-topic.js';
import { FAULT_VARIABLE } from './stress-faults.js';
import { plantModuleFault } from './stress-module-faults.js';
import { BROKEN, BUILDS, FOLDER_VARIABLE, folderOf, MODULES, PHASE, writeModules } from './stress-module-files.js';
import { openInstances, outcomes, said } from './stress-module-notes.js';

type Loader = ReturnType<ThreadContext['apis'][number]['createLoader']>;
type Outcome = Awaited<ReturnType<Loader['load']>>;

const WAYS = { load: 20, loadTwice: 6, loadFor: 4, call: 40, broken: 10, present: 2, list: 6, hurry: 6, ask: 4 };
/** Modules that a thread asks for: few, so that a module is often nobody's, and another build's then. */
const WANTS = 1;
/** How rarely it loads all that the others have, which keeps all of their builds. */
const PRESENTS = 0.01;
const PLANTS_AT = 60;
const HURRY_MS = 3;
/** Of loads of a module of which another build is there, or that depends on one. */
const ELSEWHERE = 'process';

/** Modules depend on each other two by two. */
const beside = (name: string): string => MODULES[MODULES.indexOf(name as (typeof MODULES)[number]) ^ 1] as string;

function thread(context: ThreadContext): Work {
  const { me, random, ledger, apis, bound } = context;
  const folder = String(process.env[FOLDER_VARIABLE]);
  const instances = openInstances(context);
  const limit = { timeout: bound * 1000 };
  const wanted = Array.from({ length: WANTS }, () => random.below(MODULES.length));
  const loaders = apis.map((api) =>
    BUILDS.map((fingerprint, build) => api.createLoader({ fingerprint, dirs: [folderOf(folder, build)] })),
  );
  let opening: Promise<unknown> | undefined;
  let turns = 0;
  let planted = false;

  /** Phases are called once for each loader, before it loads anything. */
  async function open(): Promise<void> {
    for (const loader of loaders.flat()) {
      const { failures } = await loader.callInit(PHASE);
      for (const { error } of failures) ledger.complain(`thread ${me}: a phase failed: ${String(error)}`);
    }
  }

  const pick = (build: number): Loader => random.pick(loaders)[build] as Loader;
  // What it has of a module, or of the one that comes with it, keeps its build.
  const buildFor = (name: string): number =>
    instances.buildOf(name) ?? instances.buildOf(beside(name)) ?? random.below(BUILDS.length);

  /** Whatever came of it, the rest has to agree. */
  function judgeOutcome(name: string, build: number, outcome: Outcome, hurried = false): void {
    outcomes.count(ledger, outcome.outcome);
    const { outcome: what } = outcome;
    if (what === 'loaded' || what === 'already') instances.arrived(name, build, outcome.exports);
    else if (what === 'refused' && outcome.reason === ELSEWHERE) instances.elsewhere(name, build);
    else if (!(hurried && what === 'failed' && outcome.error.code === 'COEXIST_ETIMEDOUT')) {
      ledger.complain(`thread ${me}: ${name} of build ${build}: ${outcome.message}`);
    }
  }

  async function load(name: string): Promise<void> {
    const build = buildFor(name);
    judgeOutcome(name, build, await pick(build).load(name, limit));
  }

  async function loadTwice(name: string): Promise<void> {
    const build = buildFor(name);
    const both = await Promise.all(loaders.map((copy) => (copy[build] as Loader).load(name, limit)));
    for (const outcome of both) judgeOutcome(name, build, outcome);
    const [one, other] = both.map((outcome) => ('exports' in outcome ? outcome.exports : undefined));
    if (one !== other) ledger.complain(`thread ${me}: two requests for ${name} got two instances, or one got none`);
  }

  async function hurry(name: string): Promise<void> {
    const build = buildFor(name);
    const timeout = random.below(HURRY_MS + 1);
    judgeOutcome(name, build, await pick(build).load(name, { timeout }), true);
  }

  async function broken(name: (typeof BROKEN)[number]): Promise<void> {
    const build = random.below(BUILDS.length);
    const outcome = await pick(build).load(name, limit);
    outcomes.count(ledger, outcome.outcome);
    const found = outcome.outcome === 'refused' ? outcome.reason : outcome.outcome;
    const expected = { throws: ['failed', ELSEWHERE], torn: ['content'], 'other-face': ['interface', ELSEWHERE] }[name];
    if (!expected.includes(found))
      ledger.complain(`thread ${me}: ${name}: ${found}, expected ${expected}: ${outcome.message}`);
    instances.stubsOf(name);
  }

  async function present(): Promise<void> {
    const build = random.below(BUILDS.length);
    for (const outcome of await pick(build).loadPresent(limit)) {
      const which = MODULES.indexOf(outcome.name as (typeof MODULES)[number]);
      if (which < 0) continue;
      const of = 'fingerprint' in outcome ? BUILDS.indexOf(outcome.fingerprint) : build;
      judgeOutcome(outcome.name, of, outcome);
    }
  }

  function list(): void {
    for (const loader of loaders.flat()) {
      for (const { name, state } of loader.list()) {
        if (state === 'loaded' && instances.buildOf(name) === undefined) {
          ledger.complain(`thread ${me}: ${name} is listed as loaded, and was never`);
        }
      }
    }
  }

  async function turn(): Promise<void> {
    opening ??= open();
    await opening;
    const fault = process.env[FAULT_VARIABLE];
    // It needs a module that is loaded here.
    if (fault !== undefined && me === 0 && ++turns >= PLANTS_AT && !planted) {
      planted = await plantModuleFault(fault, context, instances);
    }
    const name = MODULES[random.pick(wanted)] as string;
    const way = random.weighted(WAYS);
    if (way === 'load') await load(name);
    else if (way === 'loadTwice') await loadTwice(name);
    else if (way === 'loadFor') {
      const build = buildFor(name);
      judgeOutcome(name, build, await pick(build).loadFor({ object: `object:${name}` }, limit));
    } else if (way === 'hurry') await hurry(name);
    else if (way === 'broken') await broken(random.pick(BROKEN));
    else if (way === 'present') await (random.chance(PRESENTS) ? present() : load(name));
    else if (way === 'list') list();
    else if (way === 'ask') random.pick(apis).inspectModules();
    else for (const one of MODULES) instances.call(one);
  }

  return {
    turn,
    finish: () => {},
    close() {
      for (const loader of loaders.flat()) loader[Symbol.dispose]();
    },
  };
}

function judge(context: JudgeContext): Judge {
  const { ledger, api } = context;
  process.env[FOLDER_VARIABLE] = writeModules();
  let most = 0;

  function wrong({ live, leaving }: Census): string | undefined {
    const listed = api.inspectModules();
    for (const [k, name] of [...MODULES, ...BROKEN].entries()) {
      const found = listed.find((module) => module.name === name);
      const rows = found?.threads.filter(({ loaded }) => loaded).length ?? 0;
      const loading = (found?.threads.length ?? 0) - rows;
      // Told to die, or about to end: it may be dead before that is heard here, or have what it has not written down.
      const staying = live.filter((me) => ledger.get(me, 'command') === 0);
      const doubtful = live.length - staying.length + leaving.length;
      let having = 0;
      for (const me of staying) {
        const kept = k < MODULES.length ? ledger.kept(me, k) : 0;
        if (kept === 0) continue;
        having++;
        const build = BUILDS[kept - 1];
        if (found?.fingerprint !== build) {
          return `thread ${me} has ${name} of build ${build}, the process of build ${found?.fingerprint}`;
        }
      }
      most = Math.max(most, having);
      if (loading > doubtful) return `${name}: ${loading} threads are loading it, and all keep still`;
      if (rows < having || rows > having + doubtful) {
        return `${name}: ${rows} threads in the record, ${having} have it, ${doubtful} are about to end`;
      }
    }
    return undefined;
  }

  return {
    census: (census) => settled(context, 'record does not agree with the living', () => wrong(census)),
    settle: () =>
      settled(context, 'left behind', () => {
        const left = api.inspectModules().flatMap(({ name, threads }) => threads.map(() => name));
        return left.length === 0 ? undefined : `rows of ${left.join(', ')}, and every thread has ended`;
      }),
    said: () => said(ledger, most),
  };
}

if (MODULES.length > MOST_KEPT) throw new Error(`${MODULES.length} modules, the ledger has room for ${MOST_KEPT}`);

export const moduleTopic: Topic = { answers: true, thread, judge };
