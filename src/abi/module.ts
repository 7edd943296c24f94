// Modules and interfaces of the process (docs/ABI.md, clauses 72 and 73). Rows are those of clause 48; a row's phase holds the
// generation its thread has the module of, and whether it is loaded. X and Y are builds:
//
//   state         rows that count   meaning                        how it is left
//   g             none              no build is entered            enter X: fingerprint and path, then g + 1 with bit 0
//   g, bit 0: X   some              X is loaded, or being loaded   each thread: loaded, left; enter Y: refused
//   g, bit 0: X   none              nobody has X any more          enter X: as it is; enter Y: g without bit 0, and as from there

import { type Field, u32 } from './field.js';
import { ONCE_BYTES, RWLOCK } from './sync.js';

export const MODULE = {
  ...RWLOCK,
  state: u32(20),
  fingerprint: { offset: 24, size: 32, type: 'u8[32]', since: 1 } as Field,
  path_length: u32(56),
} as const;

/** Of state: a build is entered. */
export const MODULE_ENTERED = 1;
/** Of a row's phase: the module is loaded. */
export const MODULE_LOADED = 1;
/** The generation: bits 1 to 30 of the state, and of a row's phase. */
export const MODULE_GENERATION_SHIFT = 1;
export const MODULE_GENERATION_MASK = 0x3fffffff;

/** Words of Once behind the rows, for process-wide initialisers. */
export const MODULE_ONCES = 16;
export const MODULE_ONCES_BYTES = MODULE_ONCES * ONCE_BYTES;
/** Bytes of path, behind them. */
export const MODULE_PATH_BYTES = 1024;
/** What an object has behind its rows. */
export const MODULE_TAIL_BYTES = MODULE_ONCES_BYTES + MODULE_PATH_BYTES;

export const INTERFACE = { state: u32(0) } as const;
export const INTERFACE_BYTES = 4;
/** 1 + the number of the directory entry of the module: bits 0 to 11; the generation: bits 12 to 31. */
export const INTERFACE_MODULE_MASK = 0xfff;
export const INTERFACE_GENERATION_SHIFT = 12;
export const INTERFACE_VERSION_MAX = 65535;

/** Names in the directory. */
export const MODULE_PREFIX = 'module:';
export const INTERFACE_PREFIX = 'interface:';
/** Digits of the fingerprint in the name of a build beside another. */
export const BUILD_DIGITS = 16;

/** Of a module: a letter or digit first; also the name of its file in the messages of loaders. */
export const MODULE_NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,55}$/;
export const INTERFACE_NAME = /^[A-Za-z0-9][A-Za-z0-9._@+:/-]{0,63}$/;
export const FINGERPRINT = /^[0-9a-f]{64}$/;

/** The anchor of what a thread's copies share of loaded modules (clause 74). */
export const MODULES_KEY = 'coexist.modules.v1';
