// Calls between threads (docs/ABI.md, clauses 61 to 66): bells, channels, cells, and how values are written as bytes. A cell carries
// one call. Its caller word says whose it is, its state word, ticket and phase, whose turn:
//
//   phase     whose turn      how it is left
//   IDLE      the caller's    store REQUEST
//   REQUEST   nobody's        server: CAS to TAKEN; caller, or claimer of a dead caller's cell: CAS to IDLE
//   TAKEN     the server's    server: CAS to REPLY, WANT or GONE
//   WANT      the caller's    the next part of the arguments: store REQUEST
//   REPLY     the caller's    the cell is freed, or store REQUEST for the next part of the reply
//   GONE      the caller's    the cell is freed
//
//   caller    state           how it is left
//   0         free            claim by Y: CAS to Y
//   X         X's call        X ends: store 0; X gives up while TAKEN: CAS to -n; X dead: claim by Y: CAS to Y
//   -n        given up        server leaves TAKEN, or X finds it left: CAS to 0; left, or epoch over: claim by Y: CAS to Y

import { i64, u32 } from './field.js';

/** The key of the bells (clause 61): one u32 in every block. */
export const BELL_KEY = 'coexist.bell';
export const BELL_BYTES = 4;
export const BELL_AWAKE = 0;
export const BELL_ASLEEP = 1;
/** Where a thread's serving functions are: `Symbol.for` of this, on the exports object of the anchors. */
export const SERVING_KEY = 'coexist.serving.v1';

export const CHANNEL = {
  server: i64(0),
  epoch: u32(8),
  slot: u32(12),
  cells: u32(16),
  cell_bytes: u32(20),
  port: u32(24),
  names_length: u32(28),
  freed: u32(32),
  waiters: u32(36),
  ready: u32(64),
} as const;
export const CHANNEL_NAMES_OFFSET = 128;
export const CHANNEL_NAMES_BYTES = 3968;
/** Where the first cell lies. */
export const CHANNEL_CELLS_OFFSET = 4096;
export const CHANNEL_CELLS_MAX = 32;
export const CELL_BYTES_MIN = 128;
export const CELL_ALIGN = 64;

export const CELL = {
  caller: i64(0),
  state: u32(8),
  epoch: u32(12),
  method: u32(16),
  encoding: u32(20),
  length: u32(24),
  total: u32(28),
  slot: u32(32),
  port: u32(36),
} as const;
/** Where a part's bytes begin, behind the cell's. */
export const CELL_DATA_OFFSET = 40;

export const PHASE_MASK = 15;
export const PHASE_IDLE = 0;
export const PHASE_REQUEST = 1;
export const PHASE_TAKEN = 2;
export const PHASE_WANT = 3;
export const PHASE_REPLY = 4;
export const PHASE_GONE = 5;
/** The ticket of a state word: bits 4 to 31. */
export const TICKET_SHIFT = 4;

/** The caller word of a call that was given up. */
export const givenUp = (epoch: number, ticket: number): bigint => -((BigInt(epoch) << 28n) + BigInt(ticket));

/** Low byte of a cell's encoding. */
export const ENCODINGS = {
  nothing: 0,
  numbers: 1,
  latin1: 2,
  utf16: 3,
  json: 4,
  json16: 5,
  elements: 6,
  engine: 7,
  beside: 8,
  packed: 9,
  packed16: 10,
} as const;
/** Number of values: bits 8 to 23. */
export const COUNT_SHIFT = 8;
/** Type of the elements: bits 24 to 27. */
export const ELEMENTS_SHIFT = 24;
/** The call failed. */
export const FAILED_BIT = 0x80000000;
export const TOTAL_MAX = 0x7fffffff;
/** What the BroadcastChannel of a port is called: this, the area's id, a point and the port, in hexadecimal. */
export const BESIDE_PREFIX = 'coexist.call.';

/** What a word of a packed list is: its bits 0 to 2 where it says how many or which, in its other bits; else the whole word. */
export const PACKED = {
  string: 0,
  integer: 1,
  array: 2,
  object: 3,
  again: 4,
  number: 5,
  null: 6,
  true: 14,
  false: 22,
  undefined: 30,
} as const;
export const PACKED_SHIFT = 3;
