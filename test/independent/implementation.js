// An independent implementation of the coexist contract, ABI version 1, written from the contract page alone.
// Plain JavaScript, `Atomics` only, no wasm code. Numbers in brackets are clauses of that page.

const builtin = (name) => process.getBuiltinModule(name);
const fs = builtin('node:fs');
const { randomBytes, randomUUID } = builtin('node:crypto');
const { BroadcastChannel, receiveMessageOnPort, threadId } = builtin('node:worker_threads');

const BRIDGE_MS = 3000; // [8] "bounded"
const LOOKUP_MS = 1000; // [35] "its time"
const LOOK_MS = 20; // [35] longest wait between two looks at a creator

// ---------------------------------------------------------------------------------------------------------------------
// Finding the area [4-12]. One constant text serves both sides: it is run in this thread, and a worker's bridge
// evaluates it in the main thread [8]. It finds, creates, publishes and announces; it never touches a slot [3].

const CORE = `(() => {
  const wt = process.getBuiltinModule('node:worker_threads');
  const KEY = 'coexist.area.v1', MAGIC = 0x51455352;
  const header = { magic: 0, abi_major: 4, feature_size: 8, state: 12, area_id: 16, conflict: 20, slot_offset: 24,
    slot_stride: 28, slot_capacity: 32, slot_high_water: 36, block_offset: 40, block_stride: 44, directory_offset: 48,
    directory_capacity: 52, heap_offset: 56, heap_size: 60, reserved: 64, heap_used: 72, block_used: 76, slot_hint: 80,
    header_feature_size: 4092 };

  const fail = (code, message) => { throw Object.assign(new Error(message), { code: 'COEXIST_' + code }); };

  // [4, 16] A property of the CommonJS exports of node:worker_threads; the first definer wins, everyone reads again.
  const anchor = (key, make) => {
    const symbol = Symbol.for(key);
    if (wt[symbol] === undefined) {
      Reflect.defineProperty(wt, symbol, { value: make(), writable: false, enumerable: false, configurable: false });
    }
    return wt[symbol] ?? fail('EANCHOR', 'cannot define ' + key + ' on the exports of node:worker_threads');
  };

  // [12] Refuses what is no area of this version; never instanceof [4].
  const check = (value) => {
    const buffer = value?.buffer ?? value, size = buffer?.byteLength;
    const must = (ok, what, found, expected) =>
      ok || fail('EABI', 'not an area of ABI 1: ' + what + ' is ' + found + ', expected ' + expected);
    const type = Object.prototype.toString.call(buffer);
    must(type === '[object SharedArrayBuffer]', 'the memory', type, '[object SharedArrayBuffer]');
    must(size >= 4096, 'the size of the memory', size, 'at least 4096');
    const words = new Int32Array(buffer, 0, Math.floor(size / 4));
    const get = (name) => Atomics.load(words, header[name] / 4) >>> 0;
    for (const [name, expected] of [['magic', MAGIC], ['abi_major', 1], ['state', 2]]) {
      must(get(name) === expected, name, get(name), expected);
    }
    const slots = get('slot_capacity'), stride = get('slot_stride'), block = get('block_stride');
    must(slots >= 1 && slots <= 16384, 'slot_capacity', slots, '1 to 16384');
    must(stride > 0 && stride % 128 === 0, 'slot_stride', stride, 'a multiple of 128');
    must(get('feature_size') >= 44 && get('feature_size') <= stride, 'feature_size', get('feature_size'), '44 to ' + stride);
    must(block >= 4096 && (block & (block - 1)) === 0, 'block_stride', block, 'a power of two from 4096');
    for (const [name, align, bytes] of [['slot_offset', 128, slots * stride], ['block_offset', 4096, slots * block],
      ['directory_offset', 8, get('directory_capacity') * 128], ['heap_offset', 8, get('heap_size')]]) {
      must(get(name) >= 4096 && get(name) % align === 0 && get(name) + bytes <= size, name + ' (and its ' + bytes + ' bytes)',
        get(name), 'aligned to ' + align + ' and inside 4096..' + size);
    }
    return { buffer, words, get, id: get('area_id') };
  };

  // [6, 11, 14] A whole header before anyone can see the memory.
  const create = () => {
    const setting = (name, fallback, min, max) => {
      const text = process.env[name];
      if (text === undefined || text === '') return fallback;
      const value = /^[0-9]+$/.test(text) ? Number(text) : NaN;
      return value >= min && value <= max ? value
        : fail('EINVAL', name + ' is ' + JSON.stringify(text) + ', expected ' + min + ' to ' + max);
    };
    const slots = setting('COEXIST_SLOTS', 1024, 1, 16384), block = setting('COEXIST_BLOCK', 16384, 4096, 2 ** 31);
    if (Math.log2(block) % 1) fail('EINVAL', 'COEXIST_BLOCK is ' + block + ', expected a power of two');
    const blocks = Math.ceil((4096 + slots * 128) / 4096) * 4096, directory = blocks + slots * block;
    const heap = directory + 1024 * 128, pages = Math.ceil((heap + 2 ** 20) / 65536);
    if (pages > 65535) fail('EINVAL', 'COEXIST_SLOTS and COEXIST_BLOCK need ' + pages + ' pages, expected at most 65535');
    let memory;
    try {
      memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch { // wasm is off [4]
      memory = new SharedArrayBuffer(pages * 65536);
    }
    const words = new Int32Array(memory.buffer ?? memory);
    const fields = { magic: MAGIC, abi_major: 1, feature_size: 64, slot_offset: 4096, slot_stride: 128,
      slot_capacity: slots, block_offset: blocks, block_stride: block, directory_offset: directory,
      directory_capacity: 1024, heap_offset: heap, heap_size: pages * 65536 - heap, header_feature_size: 84,
      area_id: process.getBuiltinModule('node:crypto').randomInt(1, 2 ** 32), state: 2 };
    for (const name in fields) Atomics.store(words, header[name] / 4, fields[name] | 0);
    return memory;
  };

  // [9] The word is sticky; whoever's CAS succeeds warns, once.
  const conflict = (own, id) => {
    if (Atomics.compareExchange(own.words, header.conflict / 4, 0, id | 0) === 0) {
      process.emitWarning('two areas in one process: ' + own.id.toString(16) + ' and ' + id.toString(16),
        { type: 'CoexistWarning', code: 'COEXIST_CONFLICT' });
    }
  };

  // [9, 10] Posts our id, listens for others', and answers those who ask the main thread.
  const announce = (value) => {
    const own = check(value), met = new Set(), channel = new wt.BroadcastChannel(KEY);
    channel.onmessage = ({ data }) => {
      const id = data?.areaId;
      if (wt.isMainThread && typeof data?.ask === 'string') {
        const reply = new wt.BroadcastChannel(data.ask);
        reply.postMessage(value);
        reply.close();
      } else if (Number.isInteger(id) && id > 0 && id < 2 ** 32 && id !== own.id && !met.has(id)) {
        met.add(id);
        conflict(own, id);
        channel.postMessage({ areaId: own.id });
      }
    };
    channel.unref();
    channel.postMessage({ areaId: own.id });
  };

  // [5] Steps 1 to 4; bridge is needed in workers only. A value that fails the check is an error, never a reason to go on.
  const find = (bridge) => {
    let value = wt[Symbol.for(KEY)], fresh = false;
    if (value === undefined) {
      value = wt.getEnvironmentData(KEY);
      fresh = value === undefined || wt.isMainThread;
      value ??= wt.isMainThread ? create() : bridge();
    }
    check(value);
    value = anchor(KEY, () => value);
    const own = check(value), known = wt.getEnvironmentData(KEY);
    if (known !== value) { // [7]
      let other = own.id;
      try { other = check(known).id; } catch {} // no area: merely replaced
      if (other !== own.id) { conflict(own, other); fresh = true; }
      wt.setEnvironmentData(KEY, value);
    }
    if (fresh) announce(value);
    return value;
  };

  // [8] The far end of the bridge.
  const serve = (name) => {
    const channel = new wt.BroadcastChannel(name);
    try {
      channel.postMessage({ area: find() });
    } catch (error) {
      channel.postMessage({ error: { code: error.code ?? 'COEXIST_ERENDEZVOUS', message: String(error.message) } });
    } finally {
      channel.close();
    }
  };
  return { header, fail, anchor, check, find, serve };
})()`;

const { header, fail, anchor, check, find } = builtin('node:vm').runInThisContext(CORE, {
  filename: 'coexist-core.js',
});

/** [8] Evaluates the text in the main thread and waits, bounded, for its answer. */
function bridge() {
  const inspector = builtin('node:inspector');
  if (process.env.COEXIST_NO_INSPECTOR === '1' || !inspector)
    fail('ERENDEZVOUS', 'no area here, and the bridge is off');
  const name = `coexist.bridge.${randomUUID()}`;
  const channel = new BroadcastChannel(name);
  const session = new inspector.Session();
  try {
    try {
      session.connectToMainThread();
      session.post('Runtime.evaluate', { expression: `${CORE}.serve(${JSON.stringify(name)})`, silent: true });
    } catch (error) {
      fail('ERENDEZVOUS', `the bridge cannot be built: ${error.message}`);
    }
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (const end = performance.now() + BRIDGE_MS; performance.now() < end; Atomics.wait(pause, 0, 0, 2)) {
      const { area, error } = receiveMessageOnPort(channel)?.message ?? {};
      if (error) throw Object.assign(new Error(error.message), { code: error.code });
      if (area !== undefined) return area;
    }
    return fail('ERENDEZVOUS', `the main thread did not answer within ${BRIDGE_MS} ms`);
  } finally {
    channel.close();
    session.disconnect();
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Areas

const slot = {
  cpu_id_start: 0,
  cpu_id: 4,
  rseq_cs: 8,
  flags: 16,
  refcount: 20,
  node_id: 24,
  mm_cid: 28,
  owner: 32,
  generation: 40,
  thread_id: 44,
  holders: 48,
  registered_total: 56,
  reserved: 60,
}; // [18]
const directory = {
  creator: 0,
  state: 8,
  kind: 12,
  version: 16,
  size: 20,
  offset: 24,
  flags: 28,
  name_length: 32,
  name: 48,
  name_bytes: 80,
  entry_bytes: 128,
}; // [33]
const kinds = { library: 1, key: 2, counter: 3, cpus: 10, percpu: 11, pool: 12, histogram: 13, gauge: 14, ring: 15 }; // [37]
const inHeap = (kind) => kind >= 4 && kind <= 12;
export const layout = { header, slot, directory, kinds };

const cas = (view, index, from, to) => Atomics.compareExchange(view, index, from, to) === from;

/** The memory of an area: geometry as its header has it [14], and every access gated by the feature sizes [13]. */
class Memory {
  constructor({ buffer, words, get, id }) {
    Object.assign(this, { words, get, id, bytes: new Uint8Array(buffer) });
    this.longs = new BigInt64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
    for (const name of [
      'feature_size',
      'slot_offset',
      'slot_stride',
      'slot_capacity',
      'block_offset',
      'block_stride',
      'directory_offset',
      'directory_capacity',
      'heap_offset',
      'heap_size',
    ])
      this[name] = get(name);
  }
  at(i, field) {
    return this.slot_offset + i * this.slot_stride + field;
  }
  has(field, size = 4) {
    return field + size <= this.feature_size;
  }
  load(i, field) {
    return this.has(field) ? Atomics.load(this.words, this.at(i, field) / 4) >>> 0 : 0;
  }
  store(i, field, value) {
    if (this.has(field)) Atomics.store(this.words, this.at(i, field) / 4, value | 0);
  }
  swap(i, field, from, to) {
    return cas(this.words, this.at(i, field) / 4, from | 0, to | 0);
  }
  cpu(i) {
    return this.load(i, slot.cpu_id) | 0;
  }
  owner(i) {
    return Atomics.load(this.longs, this.at(i, slot.owner) / 8);
  }
  own(i, from, to) {
    return cas(this.longs, this.at(i, slot.owner) / 8, from, to);
  }
  entry(i, field) {
    return this.directory_offset + i * directory.entry_bytes + field;
  }
  read(i, field) {
    return Atomics.load(this.words, this.entry(i, field) / 4) >>> 0;
  }
  write(i, field, value) {
    Atomics.store(this.words, this.entry(i, field) / 4, value | 0);
  }

  /** Header words that change. `next` returns the new value, or undefined to leave it; returns what was there. */
  update(name, next) {
    if (header[name] + 4 > this.get('header_feature_size')) return undefined;
    for (;;) {
      const old = this.get(name),
        value = next(old);
      if (value === undefined || cas(this.words, header[name] / 4, old | 0, value | 0)) return old;
    }
  }
  highWater() {
    return Math.min(this.get('slot_high_water'), this.slot_capacity);
  }
  lowerHint(i) {
    this.update('slot_hint', (hint) => (hint > i ? i : undefined));
  } // [25]
}

const areas = new WeakMap(); // buffer -> area object
const memories = new WeakMap(); // area object -> Memory

/** A private area passed in by its user [14], or any memory that passes clause 12. */
export function open(memory) {
  const checked = check(memory);
  let area = areas.get(checked.buffer);
  if (!area) {
    const { id, buffer } = checked;
    area = { id, buffer, memory, inspect: () => inspect(area), reclaim: () => reclaim(area) };
    areas.set(buffer, area);
    memories.set(area, new Memory(checked));
  }
  return area;
}

/** The area of the process [5]. */
export const attach = () => open(find(bridge));

const memoryOf = (area) => memories.get(area) ?? memories.get(area ? open(area.memory ?? area) : attach());

// ---------------------------------------------------------------------------------------------------------------------
// Identity and proof of death [15-17]

const TID_BITS = 22n,
  NO_PROC = 1n << 61n;
const tidOf = (id) => id & ((1n << TID_BITS) - 1n);
const abs = (id) => (id < 0n ? -id : id);

function readStat(path) {
  const text = fs.readFileSync(path, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // fields[0] is field 3
  return { state: fields[0], flags: BigInt(fields[6]), start: BigInt(fields[19]) };
}

function newIdentity() {
  try {
    if (process.platform === 'linux') {
      const tid = BigInt(fs.readlinkSync('/proc/thread-self').split('/').pop());
      const { start } = readStat('/proc/thread-self/stat');
      const [seconds, hundredths] = fs.readFileSync('/proc/uptime', 'utf8').split(/[. ]/);
      // Only once the tick of the start has passed: two ticks from now it has.
      if (BigInt(seconds + hundredths) <= start) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      return (start << TID_BITS) | tid;
    }
  } catch {} // /proc is refused
  return NO_PROC | (randomBytes(8).readBigUInt64LE() & (NO_PROC - 1n));
}

const anchorWords = (id) => Int32Array.of(-1, 0, Number(BigInt.asIntN(32, id)), Number(id >> 32n));

/** The identity that the thread anchor holds; whoever comes first defines it [16]. */
export function identity() {
  const words = anchor('coexist.thread.v1', () => anchorWords(newIdentity()));
  return (BigInt(words[3]) << 32n) | BigInt(words[2] >>> 0);
}

/** [16] A private area has an anchor of its own; memory that is the anchored area's never has two. */
function threadAnchor(m, me) {
  const value = builtin('node:worker_threads')[Symbol.for('coexist.area.v1')];
  const mine = value !== undefined && check(value).id === m.id;
  const key = mine ? 'coexist.thread.v1' : `coexist.thread.v1.${m.id.toString(16).padStart(8, '0')}`;
  return anchor(key, () => anchorWords(me));
}

/** [17] 'dead' is a proof; everything in doubt is 'unknown'. */
export function liveness(id) {
  const me = identity(),
    x = abs(BigInt(id));
  if (x === 0n || x & NO_PROC) return 'unknown';
  try {
    const { start } = readStat(`/proc/self/task/${tidOf(me)}/stat`); // the control read
    if (((start << TID_BITS) | tidOf(me)) !== me) return 'unknown';
  } catch {
    return 'unknown';
  }
  try {
    const { state, flags, start } = readStat(`/proc/self/task/${tidOf(x)}/stat`);
    return start !== x >> TID_BITS || state === 'Z' || state === 'X' || flags & 4n ? 'dead' : 'alive';
  } catch (error) {
    return error.code === 'ENOENT' || error.code === 'ESRCH' ? 'dead' : 'unknown';
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Transitions [23-30]. Every prefix leaves a state that a later call resumes or repairs [3].

/** [23] Finds a slot and marks it -me; -1 if every owner word was read and none was free. */
function take(m, me) {
  const hint = Math.min(m.update('slot_hint', () => undefined) ?? 0, m.slot_capacity);
  for (let n = 0; n < m.slot_capacity; n++) {
    const i = (hint + n) % m.slot_capacity;
    if (m.owner(i) !== 0n) continue;
    m.update('slot_high_water', (mark) => (mark < i + 1 ? i + 1 : undefined));
    if (m.own(i, 0n, -me)) return { i, hint };
  }
  return { i: -1, hint };
}

/** [24] A slot of ours that the anchor does not name. Looked for at every claim, a superset of what the page asks. */
function leftover(m, me) {
  for (let i = 0, end = m.highWater(); i < end; i++) {
    const owner = m.owner(i);
    if (owner === -me || (owner === me && m.own(i, me, -me))) return { i, hint: Infinity };
  }
  return undefined;
}

function claim(m, words, me) {
  words[1] = 1;
  let found = leftover(m, me) ?? take(m, me);
  if (found.i < 0) {
    // [26] full only after a sweep and another look at every owner
    sweep(m);
    found = take(m, me);
  }
  const { i, hint } = found;
  if (i < 0) {
    words[1] = 0;
    fail('EFULL', `all ${m.slot_capacity} slots are owned`);
  }
  const start = { [slot.cpu_id]: -1, [slot.mm_cid]: i, [slot.thread_id]: -1 }; // [20]
  const kept = [slot.owner, slot.owner + 4, slot.generation, slot.registered_total];
  for (let field = 0; m.has(field); field += 4) if (!kept.includes(field)) m.store(i, field, start[field] ?? 0);
  m.store(i, slot.generation, (m.load(i, slot.generation) + 1) >>> 0 || 1); // [22]
  m.store(i, slot.thread_id, threadId);
  if (!m.own(i, -me, me)) return claim(m, words, me);
  words[0] = i;
  words[1] = 0;
  if (i >= hint) {
    // [25] raise, read again what was skipped, lower again
    m.update('slot_hint', (now) => (now === hint ? i + 1 : undefined));
    for (let k = hint; k < i; k++)
      if (m.owner(k) === 0n) {
        m.lowerHint(k);
        break;
      }
  }
  return i;
}

/** [27, 29] */
export function register({ name, permanent = false, area } = {}) {
  const m = memoryOf(area),
    me = identity(),
    words = threadAnchor(m, me);
  if (name !== undefined) encodeName(name, 'library:'); // EINVAL before anything has changed
  let i,
    counted = true;
  for (;;) {
    i = words[0];
    if (i < 0 || i >= m.slot_capacity || m.owner(i) !== me) i = claim(m, words, me);
    const cpu = m.cpu(i),
      count = m.load(i, slot.refcount);
    if (cpu < -1) fail('EFAILED', 'the host refuses this thread');
    if (cpu === -1) {
      m.store(i, slot.refcount, permanent ? 0 : 1);
      m.store(i, slot.cpu_id_start, i); // [19] no CPU number is known to plain JavaScript
      if (m.swap(i, slot.cpu_id, -1, i)) break;
    } else if (count === 0) {
      // a permanent owner
      counted = false;
      break;
    } else if (permanent) {
      fail('EBUSY', `${count} registrations count on this thread`);
    } else if (count === 0xffffffff) {
      fail('EOVERFLOW', 'the refcount is at its maximum');
    } else if (m.swap(i, slot.refcount, count, count + 1)) {
      break;
    }
  }
  if (counted) m.store(i, slot.registered_total, m.load(i, slot.registered_total) + 1); // [22]
  if (name !== undefined && m.has(slot.holders, 8)) Atomics.or(m.longs, m.at(i, slot.holders) / 8, holderBit(m, name));
  return handle(m, words, me, i);
}

function handle(m, words, me, i) {
  const generation = m.load(i, slot.generation),
    permanent = m.load(i, slot.refcount) === 0;
  let done = false;
  const current = () => !done && m.owner(i) === me && m.load(i, slot.generation) === generation;
  const unregister = () => {
    // [28]
    if (!current() || m.cpu(i) < 0) fail('EUNREGISTERED', 'this handle is not registered');
    const count = m.load(i, slot.refcount);
    if (count === 0) return; // permanent
    done = true; // before it counts down [3]
    if (count > 1) return void m.swap(i, slot.refcount, count, count - 1); // only this thread writes it
    words[1] = 1;
    m.store(i, slot.cpu_id, -1);
    m.store(i, slot.cpu_id_start, 0);
    m.store(i, slot.refcount, 0);
    words[0] = -1;
    m.own(i, me, 0n);
    words[1] = 0;
    m.lowerHint(i);
  };
  const dispose = () => {
    if (current() && m.cpu(i) >= 0) unregister();
  };
  return {
    slot: i,
    generation,
    permanent,
    cpuId: () => (current() ? m.cpu(i) : -1),
    unregister,
    [Symbol.dispose]: dispose,
  };
}

/** [30] No lock, no reset; each step is complete in itself. */
function sweep(m) {
  let freed = 0;
  for (let i = 0, end = m.highWater(); i < end; i++) {
    const owner = m.owner(i);
    if (owner === 0n || liveness(owner) !== 'dead' || !m.own(i, owner, 0n)) continue;
    m.lowerHint(i);
    freed++;
  }
  return freed;
}

/** Frees the slots of the dead; returns how many. */
export const reclaim = (area) => sweep(memoryOf(area));

/** [31] The registered slots; a row counts only if owner and generation stood still while it was read. */
export function inspect(area) {
  const m = memoryOf(area),
    names = libraries(m).map((library) => library.name),
    rows = [];
  for (let i = 0, end = m.highWater(), tries = 0; i < end; i++) {
    const owner = m.owner(i),
      generation = m.load(i, slot.generation),
      cpuId = m.cpu(i);
    if (owner <= 0n || cpuId < 0) {
      tries = 0;
      continue;
    }
    const bits = m.has(slot.holders, 8) ? Atomics.load(m.longs, m.at(i, slot.holders) / 8) : 0n;
    const row = {
      slot: i,
      generation,
      owner,
      threadId: m.has(slot.thread_id) ? m.load(i, slot.thread_id) | 0 : -1,
      cpuId,
      refcount: m.load(i, slot.refcount),
      holders: names.filter((_, n) => n < 63 && (bits >> BigInt(n)) & 1n),
      registeredTotal: m.load(i, slot.registered_total),
    };
    if (m.owner(i) === owner && m.load(i, slot.generation) === generation) rows.push(row);
    else if (tries++ < 3) {
      i--;
      continue;
    } // read this slot again
    tries = 0;
  }
  return rows;
}

// ---------------------------------------------------------------------------------------------------------------------
// The directory [33-37]

/** [36] 1 to 80 bytes of well-formed UTF-8, the prefix included. */
function encodeName(name, prefix = '') {
  const ok = typeof name === 'string' && name.length > 0 && name.isWellFormed();
  const bytes = new TextEncoder().encode(ok ? prefix + name : '');
  if (bytes.length < 1 || bytes.length > directory.name_bytes)
    fail('EINVAL', 'a name is 1 to 80 bytes of well-formed UTF-8');
  return bytes;
}

function entryName(m, i) {
  const length = Math.min(m.read(i, directory.name_length), directory.name_bytes);
  return Uint8Array.from({ length }, (_, k) => Atomics.load(m.bytes, m.entry(i, directory.name) + k));
}

/** [21] The finished library entries, in order; nobody is past an unfinished one. */
function libraries(m) {
  const found = [];
  for (let i = 0; i < m.directory_capacity && m.read(i, directory.state) === 2; i++) {
    if (m.read(i, directory.kind) !== kinds.library) continue;
    found.push({ index: i, name: new TextDecoder().decode(entryName(m, i)).replace(/^library:/, '') });
  }
  return found;
}

function holderBit(m, name) {
  try {
    const { index } = lookupIn(m, { name: `library:${name}`, kind: kinds.library });
    const n = libraries(m).findIndex((library) => library.index === index);
    if (n >= 0 && n < 63) return 1n << BigInt(n);
  } catch {} // the entry could not be had
  return BigInt.asIntN(64, 1n << 63n);
}

const u32 = (n) => Number.isInteger(n) && n >= 0 && n <= 0xffffffff;

/** Finds an entry or makes it. `kind` is a number of clause 37 or its name; a library gets its prefix if it lacks it. */
export const lookup = (area, request) => lookupIn(memoryOf(area), request);

function lookupIn(m, { name, kind: given, version, size, flags = 0 }) {
  const kind = kinds[given] ?? given;
  const prefix = kind === kinds.library && !String(name).startsWith('library:') ? 'library:' : '';
  const bytes = encodeName(name, prefix),
    me = identity();
  const wanted = {
    kind,
    version: version ?? (kind === kinds.counter ? 1 : 0),
    size: size ?? (kind === kinds.counter ? 8 : 0),
    flags,
  };
  const ranged = kind !== kinds.library;
  if (
    !Object.values(kinds).includes(kind) ||
    !u32(wanted.version) ||
    !u32(wanted.size) ||
    flags & ~1 ||
    !u32(flags) ||
    ranged !== wanted.size > 0
  )
    fail('EINVAL', `not a directory entry: ${JSON.stringify(wanted)}`);
  const same = (other) => other.length === bytes.length && bytes.every((byte, k) => byte === other[k]);
  const end = performance.now() + LOOKUP_MS;
  for (let i = 0; i < m.directory_capacity; ) {
    const creatorIndex = m.entry(i, directory.creator) / 8,
      creator = Atomics.load(m.longs, creatorIndex);
    const state = m.read(i, directory.state);
    if (creator === 0n) {
      // free: the end of the directory
      if (cas(m.longs, creatorIndex, 0n, me)) return finish(m, i, bytes, wanted);
    } else if (state !== 2) {
      // [35] resolved before the next one is looked at
      if (creator === me || liveness(creator) === 'dead') {
        // The creator may have finished between the look at the state and its death: look again.
        if (m.read(i, directory.state) !== 2 && cas(m.longs, creatorIndex, creator, me))
          return finish(m, i, bytes, wanted);
        continue;
      }
      const left = end - performance.now();
      if (left <= 0) fail('ETIMEDOUT', `entry ${i} of the directory is being created by a thread that does not finish`);
      Atomics.wait(m.words, m.entry(i, directory.state) / 4, state, Math.min(LOOK_MS, left));
    } else {
      if (same(entryName(m, i))) {
        const found = Object.fromEntries(Object.keys(wanted).map((field) => [field, m.read(i, directory[field])]));
        if (Object.keys(wanted).some((field) => wanted[field] !== found[field])) {
          fail('EKIND', `"${name}" is ${JSON.stringify(found)}, asked for as ${JSON.stringify(wanted)}`);
        }
        return { index: i, offset: m.read(i, directory.offset), size: found.size };
      }
      i++;
    }
  }
  return fail('ENOSPC', 'the directory is full');
}

/** [34] The entry is ours by its creator word; state 2 comes last, or it is given back. */
function finish(m, i, bytes, wanted) {
  m.write(i, directory.state, 1);
  const rounded = Math.ceil(wanted.size / 64) * 64;
  const [taken, size, from] = inHeap(wanted.kind)
    ? ['heap_used', m.heap_size, m.heap_offset]
    : ['block_used', m.block_stride, 0]; // [37] where a range lies
  const fits = (used) => used + rounded <= size;
  const used = rounded === 0 ? 0 : m.update(taken, (now) => (fits(now) ? now + rounded : undefined));
  const room = used !== undefined && fits(used);
  const offset = from + used;
  if (room) {
    for (const field in wanted) m.write(i, directory[field], wanted[field]);
    m.write(i, directory.offset, offset);
    m.write(i, directory.name_length, bytes.length);
    for (let k = 0; k < directory.name_bytes; k++)
      Atomics.store(m.bytes, m.entry(i, directory.name) + k, bytes[k] ?? 0);
    m.write(i, directory.state, 2);
  } else {
    m.write(i, directory.state, 0);
    Atomics.store(m.longs, m.entry(i, directory.creator) / 8, 0n);
  }
  Atomics.notify(m.words, m.entry(i, directory.state) / 4);
  return room ? { index: i, offset, size: wanted.size } : fail('ENOSPC', `no room for ${wanted.size} bytes`);
}

// ---------------------------------------------------------------------------------------------------------------------

/** [37-41] A counter with one cell per slot. It holds a registration, so its slot cannot change under it. */
export function counter(name, area) {
  const m = memoryOf(area),
    { offset } = lookupIn(m, { name, kind: kinds.counter });
  const registration = register({ area });
  const cell = (i) => (m.block_offset + i * m.block_stride + offset) / 8;
  let live = true;
  const dispose = () => {
    if (!live) return;
    live = false;
    registration[Symbol.dispose]();
  };
  return {
    add(n = 1) {
      if (!live) fail('EUNREGISTERED', 'this counter is disposed');
      if (typeof n !== 'bigint' && !Number.isSafeInteger(n)) fail('EINVAL', 'a counter adds integers');
      Atomics.add(m.longs, cell(registration.slot), BigInt(n));
    },
    sum() {
      // [39] exact across deaths
      let total = 0n;
      for (let i = 0, end = m.highWater(); i < end; i++) total += Atomics.load(m.longs, cell(i));
      return total;
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}
