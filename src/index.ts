// coexist: one registration per thread, for every library and every copy in the process.

export {
  type Area,
  type AreaOptions,
  type AttachAsyncOptions,
  type AttachOptions,
  attach,
  attachAsync,
  type CoexistCode,
  CoexistError,
  createArea,
  type Geometry,
  type Inspection,
  openArea,
  type Probe,
  probe,
  type RegisterOptions,
  type Registration,
  register,
  type SharedMemory,
  type SlotRow,
  version,
} from './core.js';
