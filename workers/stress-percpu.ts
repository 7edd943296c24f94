// Stress topic percpu: nodes go from lists and buffers to hands and back, by CPU and by slot, and no node may be in two places or in two hands.
// A thread notes what it takes and gives before and behind each step, so what a dead one had is found and put back.

import { type DataLedger, STEP } from './stress-data-ledger.js';
import type { Census, Judge, JudgeContext, ThreadContext, Topic, Work } from './stress-data-topic.js';
import { NODE, openPlaces, type Place } from './stress-percpu-places.js';
import { judgeWords, wordsOf } from './stress-percpu-words.js';

const NODES = 120;
/** Turns that carry a node. */
const CARRIES = 0.7;

const holderAt = (node: number): number => (node + NODE.holder) >>> 2;

function thread(context: ThreadContext): Work {
  const { me, random, ledger, apis, area } = context;
  const i32 = new Int32Array(area.buffer);
  // By copy; the same places in the same order.
  const places = apis.map((api) => openPlaces(api, i32));
  const words = wordsOf(context);

  function take(place: Place): void {
    ledger.set(me, 'step', STEP.takes);
    const node = place.take();
    ledger.set(me, 'hand', node);
    ledger.set(me, 'step', STEP.none);
    if (node === 0) return;
    const holder = Atomics.compareExchange(i32, holderAt(node), 0, me + 1);
    if (holder !== 0)
      ledger.complain(`thread ${me} took node ${node} from ${place.name}, which thread ${holder - 1} has`);
  }

  /** Whether there was room. */
  function give(place: Place): boolean {
    const node = ledger.get(me, 'hand');
    const holder = Atomics.compareExchange(i32, holderAt(node), me + 1, 0);
    if (holder !== me + 1) ledger.complain(`thread ${me} has node ${node}, which says thread ${holder - 1}`);
    ledger.set(me, 'step', STEP.gives);
    const given = place.give(node);
    if (given) ledger.set(me, 'hand', 0);
    ledger.set(me, 'step', STEP.none);
    if (!given) Atomics.store(i32, holderAt(node), me + 1);
    return given;
  }

  return {
    turn() {
      if (!random.chance(CARRIES)) words.turn();
      else if (ledger.get(me, 'hand') === 0) take(random.pick(random.pick(places)));
      else give(random.pick(random.pick(places)));
    },
    finish() {
      while (ledger.get(me, 'hand') !== 0) give(random.pick(random.pick(places)));
    },
    close() {
      words.close();
      for (const place of places.flat()) place.dispose();
    },
  };
}

function judge(context: JudgeContext): Judge {
  const { ledger, api, area, violate } = context;
  const i32 = new Int32Array(area.buffer);
  const memory = new api.PerCpu('stress/nodes', { bytes: NODES * NODE.bytes });
  const places = openPlaces(api, i32);
  const words = judgeWords(context);
  const first = memory.at(0);
  const nodes = Array.from({ length: NODES }, (_, k) => first + k * NODE.bytes);
  const counts = { fromHands: 0, fromSteps: 0 };
  for (const [k, node] of nodes.entries()) {
    Atomics.store(i32, (node + NODE.number) >>> 2, k);
    putBack(node);
  }

  function putBack(node: number): void {
    Atomics.store(i32, holderAt(node), 0);
    places[0]!.give(node);
  }

  return {
    tick: words.tick,
    async census(census) {
      words.census();
      const where = found();
      const lost = inHands(ledger, census, where, violate);
      for (const node of lost.nodes) putBack(node);
      counts.fromHands += lost.nodes.length;
      const missing = nodes.filter((node) => !where.has(node));
      if (missing.length > lost.takers) {
        violate('nodes lost', `${missing.length} are nowhere, and ${lost.takers} threads died while they took one`);
      }
      for (const node of missing) putBack(node);
      counts.fromSteps += missing.length;
    },
    settle() {
      const where = found();
      if (where.size !== NODES) violate('nodes lost', `${where.size} of ${NODES} at the end`);
    },
    said() {
      const { fromHands, fromSteps } = counts;
      const text = `${NODES} nodes, ${fromHands} put back from dead hands and ${fromSteps} from steps, ${words.flips} flips`;
      return { text, more: { nodes: NODES, fromHands, fromSteps, flips: words.flips } };
    },
  };

  /** Where every node is that is in a place. */
  function found(): Map<number, string> {
    const where = new Map<number, string>();
    for (const { name, contents } of places) {
      for (const node of contents()) {
        const before = where.get(node);
        const holder = nodes.includes(node) ? Atomics.load(i32, holderAt(node)) : -1;
        if (holder < 0) violate('no node', `${name} holds ${node}`);
        else if (before !== undefined) violate('node in two places', `node ${node} in ${before} and in ${name}`);
        else if (holder !== 0) violate('node in two hands', `node ${node} in ${name}, and thread ${holder - 1} has it`);
        // A list that runs in a circle has no end.
        if (holder < 0 || before !== undefined) break;
        where.set(node, name);
      }
    }
    return where;
  }
}

/** Takes down what is in the hands of the living; what the dead had that is in no place, and how many died while they took something. */
function inHands(
  ledger: DataLedger,
  { live, leaving, gone }: Census,
  where: Map<number, string>,
  violate: (rule: string, text: string) => void,
): { readonly nodes: number[]; readonly takers: number } {
  const nodes: number[] = [];
  let takers = 0;
  const note = (me: number, node: number): void => {
    const before = where.get(node);
    if (before !== undefined)
      violate('node in two places', `node ${node} in ${before} and in the hand of thread ${me}`);
    where.set(node, `the hand of thread ${me}`);
  };
  const keep = (me: number, node: number): void => {
    note(me, node);
    nodes.push(node);
  };
  for (const me of [...live, ...leaving]) {
    const node = ledger.get(me, 'hand');
    if (node !== 0) note(me, node);
  }
  // First what they surely had: what others died giving away may have come to them.
  for (const me of gone) {
    const [step, node] = [ledger.get(me, 'step'), ledger.get(me, 'hand')];
    if (node === 0) takers += step === STEP.takes ? 1 : 0;
    else if (step !== STEP.gives) keep(me, node);
  }
  for (const me of gone) {
    const node = ledger.get(me, 'hand');
    if (node !== 0 && ledger.get(me, 'step') === STEP.gives && !where.has(node)) keep(me, node);
  }
  return { nodes, takers };
}

export const percpuTopic: Topic = { thread, judge };
