// An area that the bridge made in main is the area that main would have made.

import { expect, test } from 'vitest';
import type { Body } from '../../workers/program.js';
import { program } from '../support/program.js';

interface Made {
  readonly header: number[];
  readonly bytes: number;
  readonly memory: boolean;
}

const AREA_ID = 4;

const byMain: Body<undefined, Made> = async ({ load, urls }) => {
  const { buffer, memory } = (await load(urls.a)).attach();
  return { header: [...new Uint32Array(buffer, 0, 1024)], bytes: buffer.byteLength, memory: memory !== undefined };
};

const byBridge: Body<undefined, Made> = ({ spawn }) =>
  spawn(async ({ load, urls }) => {
    const { buffer, memory } = (await load(urls.a)).attach();
    return { header: [...new Uint32Array(buffer, 0, 1024)], bytes: buffer.byteLength, memory: memory !== undefined };
  }).result;

test.each([
  { name: 'by default', env: {} },
  { name: 'with another geometry', env: { COEXIST_SLOTS: '7', COEXIST_BLOCK: '8192' } },
  { name: 'without wasm', env: { COEXIST_NO_WASM: '1' } },
])('$name', async ({ env }) => {
  const [{ result: main }, { result: bridge }] = [await program(byMain, { env }), await program(byBridge, { env })];
  expect(main.header[AREA_ID]).not.toBe(0);
  expect(bridge.header[AREA_ID]).not.toBe(0);
  expect(bridge.header.toSpliced(AREA_ID, 1)).toEqual(main.header.toSpliced(AREA_ID, 1));
  expect(bridge.bytes).toBe(main.bytes);
  expect(bridge.memory).toBe(main.memory);
});

test('the geometry comes from the environment of main, not from that of the worker', async () => {
  const { result } = await program(
    ({ spawn }) =>
      spawn(async ({ load, urls }) => (await load(urls.a)).attach().geometry.slotCapacity, undefined, {
        env: { ...process.env, COEXIST_SLOTS: '9' },
      }).result,
    { env: { COEXIST_SLOTS: '7' } },
  );
  expect(result).toBe(7);
});
