// Two areas in one process: how it is noticed and said (docs/ABI.md, clauses 7, 9 and 10). The BroadcastChannel carries
// ids only: a memory on it would slow the start of every later worker.

import { word } from '../abi/field.js';
import { AREA_KEY, HEADER } from '../abi/header.js';
import type { AreaValue, Geometry, Views } from '../abi/views.js';
import { host } from '../host/host.js';

const ID = word(HEADER.area_id);
const CONFLICT = word(HEADER.conflict);
/** How many foreign ids a listener answers: an upper bound for what a confused process can make it do. */
const MAX_ANSWERS = 64;

/** Memory that was checked to be an area. */
export interface Found {
  readonly value: AreaValue;
  readonly views: Views;
  readonly geometry: Geometry;
}

export const hex = (id: number): string => `0x${(id >>> 0).toString(16).padStart(8, '0')}`;

/** Records in an area that another one exists; whether it was the first to do so. */
export function markConflict({ views: { u32 } }: Found, foreign: number): boolean {
  return Atomics.compareExchange(u32, CONFLICT, 0, foreign) === 0;
}

/** The same for this thread's area; the first to record it warns. */
export function noteConflict(found: Found, foreign: number): void {
  if (!markConflict(found, foreign)) return;
  const own = hex(Atomics.load(found.views.u32, ID));
  host.warn(
    `two areas exist in this process, ${own} and ${hex(foreign)}: threads of one do not see the other's registrations. ` +
      'Attach in the main thread before any worker starts: import coexist there, or run node --import coexist/preload.',
    'COEXIST_ECONFLICT',
  );
}

/** Announces this area and answers others, for as long as the thread lives. */
export function listen(found: Found): void {
  const own = Atomics.load(found.views.u32, ID);
  const answered = new Set<number>();
  const channel = host.channel(AREA_KEY, (message) => {
    const { areaId, ask } = (message ?? {}) as { areaId?: unknown; ask?: unknown };
    if (typeof areaId === 'number' && areaId >>> 0 === areaId && areaId !== 0 && areaId !== own) {
      noteConflict(found, areaId);
      // Once for each foreign id: two listeners that always answered would never stop.
      if (!answered.has(areaId) && answered.size < MAX_ANSWERS) {
        answered.add(areaId);
        channel.post({ areaId: own });
      }
    }
    if (typeof ask === 'string' && host.isMainThread) {
      const reply = host.channel(ask);
      reply.post(found.value);
      reply.close();
    }
  });
  channel.post({ areaId: own });
}
