// A worker of the pool. It loads both libraries, each with its own copy of coexist, and looks on with a third: what
// refcount does the thread's slot have after each library has registered?
// @ts-check

import { join } from 'node:path';
import { parentPort, threadId } from 'node:worker_threads';
import { attach } from 'coexist';
import { createMeter } from '../../meter/index.js';
import { createTracer } from '../../tracer/index.js';
import { createCritical } from '../critical.js';
import { digest } from './digest.js';
import { METER, TITLE_LENGTH } from './names.js';

/**
 * @typedef {object} Hello
 * @property {number} threadId
 * @property {Int32Array} critical
 * @property {number} areaId
 * @property {number} slot
 * @property {number} generation
 * @property {number[]} refcounts After the first library had registered, and after both.
 */

const critical = createCritical();
const area = attach();
const ownRow = () => area.inspect().slots.find((row) => row.threadId === threadId);

const meter = createMeter({ prefix: METER });
const alone = ownRow();
const tracer = createTracer();
const both = ownRow();

/** @type {Hello} */
const hello = {
  threadId,
  critical,
  areaId: area.id,
  slot: both?.slot ?? -1,
  generation: both?.generation ?? -1,
  refcounts: [alone?.refcount ?? -1, both?.refcount ?? -1],
};
parentPort?.postMessage(hello);

/** @param {{ root: string, path: string }} task */
export async function hashFile({ root, path }) {
  const span = tracer.start(path.slice(-TITLE_LENGTH));
  try {
    const result = await digest(join(root, path), critical);
    if (result.kind === 'done') meter.count(result.bytes);
    return result;
  } finally {
    span.end();
  }
}
