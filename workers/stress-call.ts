// Stress topic call: every thread calls, and now and then serves under one of a few names, through both copies of the library, while
// others die in the middle of it. Each call has a number of its own: the reply has to carry it, its method may run for it at most once,
// and it ends within its bound, whoever has died. In the end every cell of every channel can be had again.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { make, type PayloadKind, pickKind, show } from './stress-call-payload.js';
import {
  type Judge,
  type JudgeContext,
  type Library,
  settled,
  type ThreadContext,
  type Topic,
  type Work,
} from './stress-data-topic.js';
import { FAULT_VARIABLE } from './stress-faults.js';

/**
 * Few cells, and short, so that callers wait for them, and payloads go in parts. Methods of the first channel call the second; never the
 * other way round, and never in a circle, which no number of cells would be enough for. The second has more: what waits on the stack
 * below a call that is served meanwhile keeps its cell.
 */
const CHANNELS = [
  { name: 'stress/call/relays', shape: { cells: 4, cellBytes: 512 } },
  { name: 'stress/call/echoes', shape: { cells: 8, cellBytes: 512 } },
] as const;
const [RELAYS, ECHOES] = [0, 1] as const;

/** Places of calls that are told apart, for each thread; in the ledger's free words. */
const WINDOW = 64;
/** Words behind those: how calls ended. */
const OUTCOMES = ['answered', 'threw', 'gone', 'late', 'aborted', 'served'] as const;
type Outcome = (typeof OUTCOMES)[number];
const OUTCOMES_AT = 2 ** 21 - 16;

/**
 * What a thread does until it opens everything anew: it calls and does not serve; serves while it blocks in calls, with methods that return
 * at once; or serves in its event loop and in `run`, where methods may return promises, and then never blocks in a call: whoever waits
 * for the promise could be the one that it waits for.
 */
const ROLES = { calls: 1, nested: 2, loop: 2 };
const WAYS = { sync: 60, several: 8, relay: 6, throws: 6, impatient: 6, aborted: 4, run: 10 };
const LOOP_WAYS = { several: 8, aborted: 3, run: 6 };
const MOST_AT_ONCE = 6;
const RUN_MS = 3;
const SLOW_MS = 4;
const PLANTS_AT = 50;

type Answer = readonly [caller: number, n: number, payload: unknown];
interface Methods {
  readonly [name: string]: (...args: never[]) => unknown;
  /** Says who asks and what is asked, again. */
  echo(caller: number, n: number, payload: unknown): Answer;
  slow(caller: number, n: number, ms: number): Answer | Promise<Answer>;
  /** Asks the other channel, so that threads wait for each other while they serve each other. */
  relay(caller: number, n: number): Answer | Promise<Answer>;
  fail(caller: number, n: number): never;
}

/** Of this thread, which may open everything anew: no number comes twice. */
let calls = 0;

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code);

function thread({ me, random, ledger, apis, bound }: ThreadContext): Work {
  const connection = (api: Library) =>
    CHANNELS.map(({ name, shape }) => api.connect<Methods>(name, { ...shape, timeout: bound * 1000 }));
  const clients = apis.map(connection);
  const fault = me === 0 ? process.env[FAULT_VARIABLE] : undefined;
  const role = fault === undefined ? random.weighted(ROLES) : 'loop';
  let turns = 0;
  const count = (outcome: Outcome): void => {
    Atomics.add(ledger.free, OUTCOMES_AT + OUTCOMES.indexOf(outcome), 1);
  };
  const complain = (text: string): void => ledger.complain(`thread ${me}: ${text}`);
  const placeOf = (caller: number, n: number): number => (caller % 20_000) * WINDOW + (n % WINDOW);

  /** Notes that a method runs for a call. */
  function runs(caller: number, n: number): void {
    count('served');
    const before = Atomics.exchange(ledger.free, placeOf(caller, n), n);
    if (before === n) complain(`call ${n} of thread ${caller} was run twice`);
  }

  let confused: Answer | undefined;
  const methods: Methods = {
    echo(caller, n, payload) {
      runs(caller, n);
      const answer: Answer = [caller, n, payload];
      if (fault === 'answers-another' && confused !== undefined && turns > PLANTS_AT) return confused;
      if (fault === 'runs-twice' && turns > PLANTS_AT) runs(caller, n);
      confused = answer;
      return answer;
    },
    slow(caller, n, ms) {
      runs(caller, n);
      const answer: Answer = [caller, n, ms];
      return role === 'loop' ? sleep(ms, answer) : answer;
    },
    relay(caller, n) {
      runs(caller, n);
      const m = ++calls;
      const client = random.pick(clients)[ECHOES]!;
      const answerOf = ([who, which]: Answer): Answer => {
        if (who !== me || which !== m) complain(`relayed ${m}, was told ${which} of thread ${who}`);
        return [caller, n, undefined];
      };
      if (role === 'nested') return answerOf(client.callSync('echo', me, m, n));
      return client.call('echo', me, m, n).then(answerOf);
    },
    fail(caller, n) {
      runs(caller, n);
      throw new RangeError(`call ${n} of thread ${caller} fails`);
    },
  };
  let server = openServer();

  /** None where somebody serves already. */
  function openServer() {
    if (role === 'calls') return undefined;
    try {
      const { name, shape } = random.pick(CHANNELS);
      // A thread that returns ends with it open.
      return random
        .pick(apis)
        .serve(name, methods, { ...shape, nested: role === 'nested' })
        .unref();
    } catch (error) {
      if (codeOf(error) !== 'COEXIST_EEXIST') throw error;
      return undefined;
    }
  }

  const pick = () => random.pick(random.pick(clients));

  function check([who, which, payload]: Answer, n: number, sent: unknown): void {
    if (who !== me || which !== n) complain(`call ${n} got the reply to call ${which} of thread ${who}`);
    else if (show(payload) !== show(sent)) complain(`call ${n}: ${show(sent)} came back as ${show(payload)}`);
    count('answered');
  }

  /** How a call may end that brings no reply; whether that was so. */
  function ended(error: unknown, begun: number, limit: number): void {
    const took = performance.now() - begun;
    if (took > limit + bound * 1000) complain(`a call with ${limit} ms ended after ${Math.round(took)} ms: ${error}`);
    const code = codeOf(error);
    if (code === 'COEXIST_EGONE') {
      count('gone');
      server ??= openServer();
    } else if (code === 'COEXIST_ETIMEDOUT' && limit < bound * 1000) count('late');
    else if (code === 'COEXIST_EABORTED') count('aborted');
    // It blocks for what it serves itself, and what would come of a promise.
    else if (code !== 'COEXIST_EDEADLK') throw error;
  }

  function callSync(kind: PayloadKind): void {
    const n = ++calls;
    const sent = make(kind, n);
    const begun = performance.now();
    try {
      check(pick().callSync('echo', me, n, sent), n, sent);
    } catch (error) {
      ended(error, begun, bound * 1000);
    }
  }

  async function callAsync(kind: PayloadKind): Promise<void> {
    const n = ++calls;
    const sent = make(kind, n);
    const begun = performance.now();
    try {
      check(await pick().call('echo', me, n, sent), n, sent);
    } catch (error) {
      ended(error, begun, bound * 1000);
    }
  }

  function relay(): void {
    const n = ++calls;
    const begun = performance.now();
    try {
      check(random.pick(clients)[RELAYS]!.callSync('relay', me, n), n, undefined);
    } catch (error) {
      // What it relayed may have met a death too, and says so in its own words.
      ended(error, begun, bound * 1000);
    }
  }

  function throws(): void {
    const n = ++calls;
    const begun = performance.now();
    try {
      pick().callSync('fail', me, n);
    } catch (error) {
      const { name, message } = error as Error;
      if (name !== 'RangeError') ended(error, begun, bound * 1000);
      else if (message === `call ${n} of thread ${me} fails`) count('threw');
      else complain(`call ${n} got the failure: ${message}`);
      return;
    }
    complain(`call ${n} of a method that throws came back`);
  }

  /** Gives up while its method may be running. */
  async function impatient(): Promise<void> {
    const n = ++calls;
    const begun = performance.now();
    const [limit, ms] = [random.below(SLOW_MS), random.below(2 * SLOW_MS)];
    const client = pick().with({ timeout: limit });
    try {
      check(random.chance(0.5) ? client.callSync('slow', me, n, ms) : await client.call('slow', me, n, ms), n, ms);
    } catch (error) {
      ended(error, begun, limit);
    }
  }

  async function aborted(): Promise<void> {
    const n = ++calls;
    const begun = performance.now();
    const ms = random.below(2 * SLOW_MS);
    const signal = AbortSignal.timeout(random.below(SLOW_MS));
    try {
      check(
        await pick()
          .with({ signal, timeout: bound * 1000 })
          .call('slow', me, n, ms),
        n,
        ms,
      );
    } catch (error) {
      ended(error, begun, bound * 1000);
    }
  }

  const several = (): Promise<unknown> =>
    Promise.all(Array.from({ length: 1 + random.below(MOST_AT_ONCE) }, () => callAsync(pickKind(random))));

  return {
    turn() {
      turns++;
      const way = role === 'loop' ? random.weighted(LOOP_WAYS) : random.weighted(WAYS);
      if (way === 'several') return several();
      if (way === 'impatient') return impatient();
      if (way === 'aborted') return aborted();
      if (way === 'sync') callSync(pickKind(random));
      else if (way === 'relay') relay();
      else if (way === 'throws') throws();
      else server?.run({ timeout: random.below(RUN_MS + 1) });
      return undefined;
    },
    finish() {},
    close() {
      server?.close();
      for (const client of clients.flat()) client.close();
    },
  };
}

function judge(context: JudgeContext): Judge {
  const { ledger, api, violate, bound } = context;
  // Somebody has served each of them from now on: a call finds nobody there, and does not wait for the first.
  for (const { name, shape } of CHANNELS) api.serve(name, {}, shape).close();
  const outcomes = (): Record<Outcome, number> =>
    Object.fromEntries(OUTCOMES.map((name, k) => [name, Atomics.load(ledger.free, OUTCOMES_AT + k)])) as Record<
      Outcome,
      number
    >;

  /** Calls that all have to be under way before any of them is answered: each needs a cell. */
  async function fill({ name, shape }: (typeof CHANNELS)[number]): Promise<void> {
    let arrived = 0;
    let open = (): void => {};
    const all = new Promise<void>((resolve) => {
      open = resolve;
    });
    const gather = (): Promise<void> => {
      if (++arrived === shape.cells) open();
      return all;
    };
    let server: { close(): void } | undefined;
    await settled(context, 'a server outlives its thread', () => {
      try {
        server ??= api.serve(name, { gather }, shape);
        return undefined;
      } catch (error) {
        return (error as Error).message;
      }
    });
    if (server === undefined) return;
    const client = api.connect<{ gather(): Promise<void> }>(name, { ...shape, timeout: bound * 1000 });
    try {
      await Promise.all(Array.from({ length: shape.cells }, () => client.call('gather')));
    } catch (error) {
      violate('cell lost', `${name}: ${arrived} of ${shape.cells} calls arrived: ${(error as Error).message}`);
    }
    client.close();
    server.close();
  }

  return {
    async census() {},
    async settle() {
      for (const channel of CHANNELS) await fill(channel);
      const { answered, served } = outcomes();
      if (answered > served) violate('answers from nowhere', `${answered} answered, ${served} served`);
    },
    said() {
      const more = outcomes();
      const text = OUTCOMES.map((name) => `${more[name]} ${name}`).join(', ');
      return { text: `calls: ${text}`, more };
    },
  };
}

export const callTopic: Topic = { answers: true, thread, judge };
