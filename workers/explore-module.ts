// Explored: threads that enter builds of one module (clause 72), run its process-wide initialiser, are loaded, and leave. Two builds
// never count at once, a refusal changes nothing, an initialiser runs once for each build that is entered, whoever reads without the
// lock sees one build as a whole, and behind a death the others get on. The first thread has build X, the next one Y, and so on.
// Variants: read (the last thread only reads), own (each tries the other build as well while it has its own), interface (they begin to
// implement one interface, clause 73).

import type { AreaValue, moduleRecords } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { assert, loadCore } from './explore-area.js';
import {
  dataOf,
  ended,
  finished,
  inRow,
  own,
  type PerCpuRig,
  preparing,
  rigOf,
  setOwn,
  threadsOf,
} from './explore-percpu.js';

type ModuleRecord = ReturnType<typeof moduleRecords.recordOf>;
type Reading = NonNullable<ReturnType<typeof moduleRecords.readModule>>;

interface One {
  readonly record: ModuleRecord;
}

const OWN_BYTES = 1024;
const NAME = 'm';
const INTERFACE = 'i';
/** Builds: two that the threads have, and one for the end. Paths of different lengths. */
const FINGERPRINTS = ['1a', '2b', '3c'].map((digits) => digits.repeat(32));
const PATHS = ['/x', '/of/y', '/z'];
const GHOSTS = 1;
const LAST = 2;

/** Words of a thread's row: whether it has its build, of which generation, and what it was told of the interface. */
const HAS = 0;
const GENERATION = 1;
const TOLD = 2;
/** Words of the program: 1 + the build that a generation was seen to be, and how often its initialiser has ended. */
const SEEN = 0;
const INITIALISED = 16;
/** The threads' identities, from this 64-bit word on. */
const IDENTITIES = 20;
const MOST_GENERATIONS = 16;

const buildOf = (thread: number): number => thread % 2;

export async function setup(context: ExploreContext): Promise<AreaValue> {
  const core = await loadCore(context);
  const area = core.createArea({ slots: context.threads, blockBytes: 4096, heapBytes: 4096 });
  core.viewsOf(area.buffer).u32[core.HEADER.heap_used.offset >>> 2] = OWN_BYTES;
  return area.memory ?? area.buffer;
}

export async function prepare(context: ExploreContext): Promise<unknown> {
  const rig = await preparing<One>((core, area) => {
    const record = core.moduleRecords.recordOf(NAME, area);
    // So that no lookup is explored.
    core.noteInterface(area, INTERFACE, 1, record.index);
    return { record };
  })(context);
  const { core, object, area } = rig;
  context.i64[(area.geometry.heapOffset >>> 3) + IDENTITIES + context.index] = object.record.place.ground.self;
  if (context.index === 0) {
    // What a thread left that had the second build loaded, and has died.
    enterIn(rig, undefined, GHOSTS);
    core.moduleRecords.markLoaded(object.record);
    context.i64[(object.record.place.at + core.HOLDERS_OFFSET) >>> 3] = context.ghost;
    context.i32[(area.geometry.heapOffset >>> 2) + SEEN + 1] = GHOSTS + 1;
  }
  return rig;
}

export function reset(): void {}

/** Notes which build a generation is, as somebody saw it. */
function see(context: ExploreContext, generation: number, build: number): void {
  assert(generation > 0 && generation < MOST_GENERATIONS, `generation ${generation}`);
  const before = own(context, SEEN + generation);
  assert(before === 0 || before === build + 1, `generation ${generation} is build ${before - 1} and build ${build}`);
  setOwn(context, SEEN + generation, build + 1);
}

// Where nobody else runs, a sleep that nobody ends has passed at once.
function enterIn({ core, object }: PerCpuRig<One>, i32: Int32Array<SharedArrayBuffer> | undefined, build: number) {
  const [fingerprint, path] = [FINGERPRINTS[build] as string, PATHS[build] as string];
  const waiting = core.moduleRecords.enter(object.record, fingerprint, path, false);
  for (let timedOut = false; ; ) {
    const step = waiting.next(timedOut);
    if (step.done) return step.value;
    const { index, value, ms } = step.value;
    timedOut = i32 === undefined || Atomics.wait(i32, index, value, ms) === 'timed-out';
  }
}
const enter = (context: ExploreContext, build: number) => enterIn(rigOf<One>(context), context.i32, build);

/** Which build a reading is; its path has to be that of its fingerprint. */
function wholeBuild({ fingerprint, path }: Pick<Reading, 'fingerprint' | 'path'>): number {
  const build = FINGERPRINTS.indexOf(fingerprint);
  assert(build >= 0, `the fingerprint ${fingerprint} is that of no build`);
  assert(path === PATHS[build], `build ${build} has the path ${path}`);
  return build;
}

/** Each of these threads has this build, or had it when it died. */
function checkThreads(context: ExploreContext, build: number, identities: readonly bigint[]): void {
  const { heapOffset } = rigOf<One>(context).area.geometry;
  for (const identity of identities) {
    if (identity === context.ghost) assert(build === GHOSTS, `the ghost is said to have build ${build}`);
    else {
      const known = Array.from({ length: context.threads }, (_, k) => context.i64[(heapOffset >>> 3) + IDENTITIES + k]);
      const thread = known.indexOf(identity);
      assert(thread >= 0 && buildOf(thread) === build, `thread ${thread} is said to have build ${build}`);
    }
  }
  assert(new Set(identities).size === identities.length, 'a thread has the module twice');
}

function refused(context: ExploreContext, outcome: ReturnType<typeof enter>, build: number): void {
  assert(!outcome.entered, `build ${build} was entered beside another`);
  const other = wholeBuild(outcome.other);
  assert(other !== build, `build ${build} was refused for itself`);
  const { identities } = outcome.other;
  assert(identities.length > 0, 'refused for nobody');
  assert(!identities.includes(context.ghost), 'refused for a dead thread');
  checkThreads(context, other, identities);
}

function has(context: ExploreContext, build: number): void {
  const { core, object } = rigOf<One>(context);
  const { onceOf, markLoaded, leaveModule } = core.moduleRecords;
  const generation = own(context, inRow(context.index, GENERATION));
  onceOf(object.record, 0).callForce(({ ownerDied }) => {
    const times = own(context, INITIALISED + generation);
    assert(times === 0 || ownerDied, `generation ${generation} is initialised again`);
    setOwn(context, INITIALISED + generation, 1);
  });
  assert(own(context, INITIALISED + generation) === 1, `generation ${generation} was never initialised`);
  markLoaded(object.record);
  if (dataOf(context).variant === 'own') refused(context, enter(context, 1 - build), 1 - build);
  setOwn(context, inRow(context.index, HAS), 0);
  leaveModule(object.record);
}

function load(context: ExploreContext): void {
  const build = buildOf(context.index);
  const outcome = enter(context, build);
  if (!outcome.entered) {
    refused(context, outcome, build);
    return;
  }
  setOwn(context, inRow(context.index, HAS), 1);
  setOwn(context, inRow(context.index, GENERATION), outcome.generation);
  see(context, outcome.generation, build);
  has(context, build);
}

function read(context: ExploreContext): Reading | undefined {
  const { core, object } = rigOf<One>(context);
  const reading = core.moduleRecords.readModule(object.record);
  if (reading === undefined) return undefined;
  const build = wholeBuild(reading);
  see(context, reading.generation, build);
  checkThreads(
    context,
    build,
    reading.rows.map(({ identity }) => identity),
  );
  return reading;
}

function implement(context: ExploreContext): void {
  const { core, object, area } = rigOf<One>(context);
  const module = object.record.index + 1 + context.index;
  const generation = core.noteInterface(area, INTERFACE, 1, module);
  for (let thread = 0; thread < context.threads; thread++) {
    const told = own(context, inRow(thread, TOLD));
    assert(told !== generation, `threads ${thread} and ${context.index} were both told generation ${generation}`);
  }
  setOwn(context, inRow(context.index, TOLD), generation);
  assert(core.noteInterface(area, INTERFACE, 1, module) >= generation, 'the generation went back');
}

function run(context: ExploreContext): void {
  const { variant } = dataOf(context);
  if (variant === 'interface') implement(context);
  else if (variant === 'read' && context.index === context.threads - 1) read(context);
  else load(context);
  finished(context);
}

export const threads = threadsOf(run);

const wordOf = (context: ExploreContext, name: 'state' | 'fingerprint'): number => {
  const { core, object } = rigOf<One>(context);
  return (object.record.place.at + core.MODULE[name].offset) >>> 2;
};

/** Whoever has a build has the one that is entered. */
export function invariant(context: ExploreContext): void {
  const { core } = rigOf<One>(context);
  const state = context.i32[wordOf(context, 'state')] as number;
  for (let thread = 0; thread < context.threads; thread++) {
    if (context.killed(thread) || own(context, inRow(thread, HAS)) === 0) continue;
    const generation = own(context, inRow(thread, GENERATION));
    assert(
      (state & core.MODULE_ENTERED) !== 0,
      `thread ${thread} has generation ${generation}, and no build is entered`,
    );
    assert(state >>> 1 === generation, `thread ${thread} has generation ${generation}, entered is ${state >>> 1}`);
  }
}

export const observed = (address: number, context: ExploreContext): boolean =>
  address >>> 2 === wordOf(context, 'state');

export function after(context: ExploreContext): void {
  const { core, object, area } = rigOf<One>(context);
  const { record } = object;
  ended(context);
  if (context.killed(context.index)) return;
  if (dataOf(context).variant === 'interface') {
    const generations = Array.from({ length: context.threads }, (_, thread) => own(context, inRow(thread, TOLD)));
    const last = core.noteInterface(area, INTERFACE, 1, record.index + 99);
    assert(last > Math.max(...generations), `the interface has generation ${last - 1} at the end`);
    return;
  }
  // Whatever happened, another build can be entered now.
  const outcome = enterIn(rigOf<One>(context), undefined, LAST);
  assert(outcome.entered, 'a build is refused at the end, and nobody has another');
  const reading = core.moduleRecords.readModule(record) as Reading;
  assert(wholeBuild(reading) === LAST && reading.generation === outcome.generation, 'another build is entered');
  assert(reading.rows.length === 1, `${reading.rows.length} threads have the module at the end`);
  core.moduleRecords.onceOf(record, 0).call(() => setOwn(context, INITIALISED, 1));
  assert(own(context, INITIALISED) === 1, 'the last build was not initialised');
  core.moduleRecords.leaveModule(record);
  assert(context.i64[record.place.at >>> 3] === 0n, 'the inner lock is held at the end');
}

/** Names of the words, for traces. */
export function names(address: number, context: ExploreContext): string | undefined {
  const { core, object } = rigOf<One>(context);
  const { at, holders } = object.record.place;
  const inside = address - at;
  const onces = core.HOLDERS_OFFSET + holders * core.HOLDER_BYTES;
  if (inside < 0 || inside >= onces + core.MODULE_TAIL_BYTES) return undefined;
  if (inside >= onces + core.MODULE_ONCES_BYTES) return `path+${inside - onces - core.MODULE_ONCES_BYTES}`;
  if (inside >= onces) return `once[${(inside - onces) >>> 3}]`;
  if (inside >= core.HOLDERS_OFFSET) {
    const [k, in_row] = [Math.floor((inside - 64) / 16), (inside - 64) % 16];
    return `row[${k}].${in_row === 0 ? 'identity' : in_row === 8 ? 'count' : in_row === 12 ? 'phase' : in_row}`;
  }
  for (const [name, { offset }] of Object.entries(core.MODULE)) if (offset === inside) return name;
  return `+${inside}`;
}
