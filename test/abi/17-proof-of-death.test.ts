// Clause 17: who is dead. Real deaths and lives, forged identities, and every answer that /proc could give, from a node:fs that
// an actor loads the library over.

import { type Area, register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, registerIn, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { EARLIER_NAMESAKE, kill, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const TID = 4_000_001;
const START = 777n;

interface Answer {
  readonly name: string;
  readonly state?: string;
  readonly flags?: number;
  readonly start?: bigint;
  readonly text?: string;
  /** /proc fails with this code. */
  readonly code?: string;
  /** What happens to the asking thread's own file. */
  readonly control?: 'EMFILE' | 'ENOENT' | 'other start';
  readonly verdict: 'dead' | 'alive' | 'unknown';
}

const ANSWERS: readonly Answer[] = [
  { name: 'no such file', code: 'ENOENT', verdict: 'dead' },
  { name: 'no such process', code: 'ESRCH', verdict: 'dead' },
  { name: 'too many open files', code: 'EMFILE', verdict: 'unknown' },
  { name: 'access refused', code: 'EACCES', verdict: 'unknown' },
  { name: 'input error', code: 'EIO', verdict: 'unknown' },
  { name: 'running', state: 'R', verdict: 'alive' },
  { name: 'sleeping', state: 'S', verdict: 'alive' },
  { name: 'stopped', state: 'T', verdict: 'alive' },
  { name: 'zombie', state: 'Z', verdict: 'dead' },
  { name: 'dead', state: 'X', verdict: 'dead' },
  { name: 'exiting', flags: 4, verdict: 'dead' },
  { name: 'exiting among other flags', flags: 4194304 + 4 + 64, verdict: 'dead' },
  { name: 'all other flags', flags: 0xffffffff - 4, verdict: 'alive' },
  { name: 'a later start', start: START + 1n, verdict: 'dead' },
  { name: 'an earlier start', start: START - 1n, verdict: 'dead' },
  { name: 'an empty file', text: '', verdict: 'unknown' },
  { name: 'a truncated file', text: `${TID} (node) S 1 2 3`, verdict: 'unknown' },
  { name: 'gone, control read fails', code: 'ENOENT', control: 'EMFILE', verdict: 'unknown' },
  { name: 'gone, control read finds nothing either', code: 'ENOENT', control: 'ENOENT', verdict: 'unknown' },
  { name: 'gone, control read differs', code: 'ENOENT', control: 'other start', verdict: 'unknown' },
  { name: 'zombie, control read differs', state: 'Z', control: 'other start', verdict: 'unknown' },
  { name: 'another start, control read fails', start: START + 1n, control: 'EMFILE', verdict: 'unknown' },
];

const statOf = ({ state = 'S', flags = 4194368, start = START, text }: Answer): string =>
  text ?? `${TID} (a) Z 1) ${state} 1 1 1 0 -1 ${flags} 0 0 0 0 0 0 0 0 20 0 7 0 ${start} 1 2 3\n`;

describe.each(BACKENDS)('%s', (backend) => {
  test('what /proc may answer', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const actor = await startActor(backend);
    await actor.run(
      async ({ load, state }, { url, memory, tid }) => {
        const fs = process.getBuiltinModule('node:fs') as unknown as {
          readFileSync(path: string, encoding: string): string;
        };
        const read = fs.readFileSync;
        const own = process.getBuiltinModule('node:fs').readlinkSync('/proc/thread-self').split('/').pop();
        fs.readFileSync = (path, encoding) => {
          const answer = state['answer'] as { code?: string; text: string; control?: string } | undefined;
          const fail = (code: string): never => {
            throw Object.assign(new Error(code), { code });
          };
          if (answer !== undefined && path === `/proc/self/task/${tid}/stat`)
            return answer.code === undefined ? answer.text : fail(answer.code);
          const text = read(path, encoding);
          if (answer?.control === undefined || path !== `/proc/self/task/${own}/stat`) return text;
          if (answer.control !== 'other start') return fail(answer.control);
          const fields = text.split(' ');
          fields[21] = `${fields[21]}1`;
          return fields.join(' ');
        };
        const lib = await load(url);
        state['area'] = lib.openArea(memory);
        lib.register({ area: state['area'] as never });
      },
      { url: copyUrl('a', 'core.js'), memory: memoryOf(area), tid: TID },
    );
    const identity = (START << 22n) | BigInt(TID);
    for (const answer of ANSWERS) {
      for (const owner of [identity, -identity]) {
        bytes.plant(2, { owner, generation: 3 });
        const { rows, freed } = await actor.run(
          ({ state }, answer) => {
            state['answer'] = answer;
            const area = state['area'] as Area;
            const rows = area.inspect().slots.filter(({ slot }) => slot === 2);
            const freed = area.reclaim();
            state['answer'] = undefined;
            return { rows: rows.map(({ alive }) => alive), freed };
          },
          { code: answer.code, text: statOf(answer), control: answer.control },
        );
        const expected = { dead: false, alive: true, unknown: null }[answer.verdict];
        expect([answer.name, owner > 0n, rows]).toEqual([answer.name, owner > 0n, owner > 0n ? [expected] : []]);
        expect([answer.name, freed]).toEqual([answer.name, answer.verdict === 'dead' ? 1 : 0]);
        expect(bytes.owner(2)).toBe(answer.verdict === 'dead' ? 0n : owner);
      }
    }
    await actor.terminate();
  });

  test('a worker that lives is not dead, one that was terminated is', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const [first, second] = [await startActor(backend), await startActor(backend)];
    await registerIn(first, area);
    await registerIn(second, area);
    expect(area.reclaim()).toBe(0);
    expect(area.inspect().slots.map(({ alive }) => alive)).toEqual([true, true]);
    const dead = await kill(first);
    expect(area.inspect().slots.map(({ alive }) => alive)).toEqual([false, true]);
    bytes.plant(3, { owner: -dead });
    expect(area.reclaim()).toBe(2);
    expect([bytes.owner(0), bytes.owner(3)]).toEqual([0n, 0n]);
    expect(area.inspect().slots.map(({ slot, alive }) => [slot, alive])).toEqual([[1, true]]);
    await second.terminate();
  });

  test('forged identities: no such thread and an earlier namesake are dead; random ones and oneself never', () => {
    const area = smallArea(backend, { slots: 8 });
    const bytes = bytesOf(area);
    register({ area });
    const owners = [
      NO_SUCH_THREAD,
      -NO_SUCH_THREAD,
      EARLIER_NAMESAKE,
      -EARLIER_NAMESAKE,
      UNKNOWABLE,
      -UNKNOWABLE,
      -ownIdentity(),
    ];
    owners.forEach((owner, k) => void bytes.plant(k + 1, { owner }));
    expect(area.reclaim()).toBe(4);
    expect(owners.map((_, k) => bytes.owner(k + 1))).toEqual([0n, 0n, 0n, 0n, UNKNOWABLE, -UNKNOWABLE, -ownIdentity()]);
    expect(bytes.owner(0)).toBe(ownIdentity());
  });

  test('a thread without /proc proves nobody’s death, and nobody proves its', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.plant(0, { owner: NO_SUCH_THREAD });
    const actor = await startActor(backend);
    const freed = await actor.run(
      async ({ load }, { url, memory }) => {
        const fs = process.getBuiltinModule('node:fs');
        const read = fs.readFileSync;
        fs.readFileSync = ((path: string, ...rest: never[]) => {
          if (String(path).startsWith('/proc')) throw Object.assign(new Error('refused'), { code: 'EACCES' });
          return read(path, ...rest);
        }) as never;
        const lib = await load(url);
        const area = lib.openArea(memory);
        lib.register({ area });
        return area.reclaim();
      },
      { url: copyUrl('a', 'core.js'), memory: memoryOf(area) },
    );
    expect([freed, bytes.owner(0)]).toEqual([0, NO_SUCH_THREAD]);
    await actor.terminate();
    const owner = bytes.owner(1);
    expect(owner >> 61n).toBe(1n);
    expect(area.reclaim()).toBe(1);
    expect([bytes.owner(0), bytes.owner(1)]).toEqual([0n, owner]);
  });
});
