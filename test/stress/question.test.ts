// What the stress run on singletons counts where a thread has died while it asked whether anybody holds an instance (docs/ABI.md, clause
// 68): it has left DYING and the lock, and who holds a reference holds it still. What nobody has died over is wrong as before.

import { attach } from 'coexist';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createBooks } from '../../workers/stress-data-books.js';
import { createDataLedger } from '../../workers/stress-data-ledger.js';
import type { Library } from '../../workers/stress-data-topic.js';
import { createRandom } from '../../workers/stress-random.js';
import { codeOf, singletonTopic } from '../../workers/stress-singleton.js';
import { openPlaces, PLACES } from '../../workers/stress-singleton-places.js';
import { copyUrl } from '../support/copies.js';
import { singletonBytes } from '../support/singletons.js';
import { NO_SUCH_THREAD } from '../support/threads.js';

const ME = 0;
const CENSUS = { live: [ME], leaving: [], gone: [] };
/** Longer than a census looks before it finds something wrong. */
const VIRTUAL_MS = 10_000;
const area = attach();
const api = (await import(copyUrl('a', 'core.js'))) as Library;
afterEach(() => vi.useRealTimers());

/** DYING, with one reference that this thread holds, which it has noted or not; what a census finds wrong, and what there is then. */
async function found(kind: (typeof PLACES)[number], owner: bigint, noted: boolean) {
  const which = PLACES.indexOf(kind);
  const ledger = createDataLedger(1);
  const violate = vi.fn<(rule: string, text: string) => void>();
  const shared = { ledger, bound: 5, random: { ...createRandom(1), chance: () => false } };
  const reference = openPlaces(api, { ...shared, me: ME })[which]!.acquire({ timeout: 1000, retry: true });
  const { generation } = reference;
  if (noted) ledger.keep(ME, 0, codeOf(which, generation));
  const judge = singletonTopic.judge({ ...shared, api, area, books: createBooks(ledger, () => 1, violate), violate });
  const bytes = singletonBytes(area, `stress/${kind}`);
  onTestFinished(() => {
    bytes.setOwner(0n);
    bytes.setState('LIVE', generation);
    reference.release();
  });
  bytes.setState('DYING', generation);
  bytes.setOwner(owner);
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  const census = judge.census(CENSUS);
  await vi.advanceTimersByTimeAsync(VIRTUAL_MS);
  await census;
  return { wrong: violate.mock.calls, phase: bytes.phase() };
}

describe.each(PLACES)('%s', (kind) => {
  test('a thread died over the question: it is answered, and the references are exact', async () => {
    expect(await found(kind, NO_SUCH_THREAD, true)).toEqual({ wrong: [], phase: 'LIVE' });
  });

  test('one is counted that nobody has noted: seen', async () => {
    const { wrong, phase } = await found(kind, NO_SUCH_THREAD, false);
    const text = `stress/${kind}: 1 references counted, 0 held; `;
    expect([wrong, phase]).toEqual([[['references not exact', expect.stringContaining(text)]], 'LIVE']);
  });
});

// Hosted, its creator ends it then.
test.each(['kept', 'discarded'] as const)(
  '%s: nobody is inside the lock: DYING is the answer, and wrong where somebody holds it',
  async (kind) => {
    const { wrong, phase } = await found(kind, 0n, true);
    expect([wrong, phase]).toEqual([[['references not exact', expect.stringContaining('DYING')]], 'DYING']);
  },
);
