// Histogram.record() against the histograms of metrics libraries and of HdrHistogram, all fed the same values without labels; and the
// quantiles over a full table of slots against a plain sum of the same words.

import { attach, createArea } from 'coexist';
import { bucketOf, HEADER, word } from 'coexist/abi';
import { Histogram } from 'coexist/percpu';
import { type Group, interleave, row, type Topic, variable } from './kit.js';

const RECORDS = 1_000_000;
const PEER_RECORDS = 20_000;
const SLOTS = 1024;
const BUCKETS = 128;
const QUANTILES = [0.5, 0.9, 0.99];
const COLLECTIONS = 20;
const BAR = { atLeast: 30 } as const;

/** From 1 to half a thousand million, as many in one power of two as in another: integers, as ns or bytes are. */
const VALUES = Array.from({ length: 4096 }, (_, k) => Math.floor(2 ** ((29 * ((k * 2_654_435_761) % 4096)) / 4096)));
const MASK = VALUES.length - 1;

/** Bounds for peers that search for them: as many as prom-client has by default, over the range of the values. */
const BOUNDS = Array.from({ length: 11 }, (_, k) => 8 ** k);

/** Header words that no field has (docs/ABI.md, clause 11). */
const SPARE = 2048 / 8;

type Loop = (times: number) => unknown;

function recorder(): Loop {
  const histogram = new Histogram('bench/values');
  return (times) => {
    for (let k = 0; k < times; k++) histogram.record(VALUES[k & MASK] as number);
    return histogram;
  };
}

/** What is left if the bucket is known: the increment, at places that vary in the same way. */
function plainAdder(): Loop {
  const view = new BigInt64Array(attach().buffer);
  const place = variable(SPARE);
  const indices = VALUES.map((value) => bucketOf(value, 2));
  const add = (at: number): void => {
    view[at]! += 1n;
  };
  return (times) => {
    const { at } = place;
    for (let k = 0; k < times; k++) add(at + (indices[k & MASK] as number));
    return view[at] as bigint;
  };
}

const feeding =
  (record: (value: number) => unknown): Loop =>
  (times) => {
    for (let k = 0; k < times; k++) record(VALUES[k & MASK] as number);
    return record;
  };

function against(what: string, makePeer: () => Promise<Loop>, bar?: typeof BAR): Group {
  return async () => {
    const times = await interleave({
      peer: { ops: PEER_RECORDS, loop: await makePeer() },
      own: { ops: RECORDS, loop: recorder() },
      plain: { ops: RECORDS, loop: plainAdder() },
    });
    return [row(`${what} against Histogram.record()`, times.peer, times.own, bar, times.plain)];
  };
}

async function prom(): Promise<Loop> {
  const { default: client } = await import('prom-client');
  const metric = new client.Histogram({ name: 'values', help: 'values', buckets: BOUNDS, registers: [] });
  return feeding((value) => metric.observe(value));
}

async function otel(): Promise<Loop> {
  const { MeterProvider, MetricReader } = await import('@opentelemetry/sdk-metrics');
  // Without a reader, the SDK records nothing.
  class Reader extends MetricReader {
    protected override async onForceFlush(): Promise<void> {}
    protected override async onShutdown(): Promise<void> {}
  }
  const provider = new MeterProvider({ readers: [new Reader()] });
  const advice = { explicitBucketBoundaries: BOUNDS };
  const metric = provider.getMeter('bench').createHistogram('values', { advice });
  return feeding((value) => metric.record(value));
}

/** The coarsest it has, one decimal digit: 16 buckets in a power of two. */
const hdr = (useWebAssembly: boolean) => async (): Promise<Loop> => {
  const { default: lib } = await import('hdr-histogram-js');
  if (useWebAssembly) await lib.initWebAssembly();
  const metric = lib.build({
    useWebAssembly,
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 33,
    numberOfSignificantValueDigits: 1,
    bitBucketSize: 32,
    autoResize: false,
  });
  return feeding((value) => metric.recordValue(value));
};

/** The fastest plain sum there is: one wasm call, ordinary loads, slot by slot. */
const SUM_WAT = `(module
  (import "area" "memory" (memory 1 65536 shared))
  (func (export "sum") (param $at i32) (param $stride i32) (param $slots i32) (param $bytes i32) (result i64)
    (local $end i32) (local $sum i64)
    (loop $slot
      (local.set $end (i32.add (local.get $at) (local.get $bytes)))
      (loop $words
        (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
        (local.set $sum (i64.add (local.get $sum) (i64.load offset=8 (local.get $at))))
        (local.set $sum (i64.add (local.get $sum) (i64.load offset=16 (local.get $at))))
        (local.set $sum (i64.add (local.get $sum) (i64.load offset=24 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 32)))
        (br_if $words (i32.lt_u (local.get $at) (local.get $end))))
      (local.set $at (i32.add (local.get $at) (i32.sub (local.get $stride) (local.get $bytes))))
      (br_if $slot (local.tee $slots (i32.sub (local.get $slots) (i32.const 1)))))
    (local.get $sum)))`;

async function quantiles() {
  const area = createArea({ slots: SLOTS, heapBytes: 0 });
  const histogram = new Histogram('bench/values', { area, buckets: BUCKETS });
  const { blockOffset, blockStride } = area.geometry;
  const i64 = new BigInt64Array(area.buffer);
  Atomics.store(new Int32Array(area.buffer), word(HEADER.slot_high_water), SLOTS);
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = (blockOffset + slot * blockStride) / 8;
    for (let k = 0; k < BUCKETS; k++) i64[at + k] = BigInt((slot * 31 + k * 7) % 1000);
  }

  const { default: wabt } = await import('wabt');
  const { buffer: bytes } = (await wabt()).parseWat('sum.wat', SUM_WAT, { threads: true }).toBinary({});
  const imports = { area: { memory: area.memory as WebAssembly.Memory } };
  const { sum } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as {
    sum(at: number, stride: number, slots: number, bytes: number): bigint;
  };
  const inWasm = (): bigint => sum(blockOffset, blockStride, SLOTS, BUCKETS * 8);
  const inScript = (): bigint => {
    let total = 0n;
    for (let slot = 0; slot < SLOTS; slot++) {
      const at = (blockOffset + slot * blockStride) / 8;
      for (let k = 0; k < BUCKETS; k++) total += i64[at + k] as bigint;
    }
    return total;
  };
  const { count } = histogram.snapshot();
  if (BigInt(count) !== inWasm() || BigInt(count) !== inScript()) throw new Error('the sums differ');

  const repeat =
    (step: () => unknown): Loop =>
    (times) => {
      let result: unknown;
      for (let k = 0; k < times; k++) result = step();
      return result;
    };
  const times = await interleave({
    quantiles: { ops: COLLECTIONS, loop: repeat(() => histogram.snapshot().quantiles(QUANTILES)) },
    wasm: { ops: COLLECTIONS, loop: repeat(inWasm) },
    script: { ops: COLLECTIONS, loop: repeat(inScript) },
  });
  const what = `snapshot() and quantiles(), ${BUCKETS} buckets in ${SLOTS} slots, against a plain sum of the words`;
  return [
    row(`${what}, in wasm`, times.quantiles, times.wasm, { atMost: 3 }),
    row(`${what}, in JS`, times.quantiles, times.script, { atMost: 3 }),
  ];
}

export const histogram: Topic = {
  prom: against('prom-client histogram observe()', prom, BAR),
  otel: against('OpenTelemetry histogram record()', otel, BAR),
  hdr: against('hdr-histogram-js recordValue(), its JS', hdr(false)),
  hdrWasm: against('hdr-histogram-js recordValue(), its wasm', hdr(true)),
  quantiles,
};
