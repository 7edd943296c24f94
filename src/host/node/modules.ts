// Files by node:fs, synchronously and by one descriptor: what is hashed is what is run. ES modules are data: URLs, which need neither a
// loader hook nor a second reading of the file; CommonJS is a compiled function, run inside a script whose only purpose is its timeout.

import { type CommonJsRun, DYNAMIC_IMPORT, type FileRead, type ModuleHost, type RealPath } from '../modules.js';
import { Buffer, fs, process, workerThreads } from './builtin.js';

const path = process.getBuiltinModule('node:path');
const url = process.getBuiltinModule('node:url');

export const modules: ModuleHost = {
  absolute: (at) => path.resolve(typeof at === 'string' && !at.startsWith('file://') ? at : url.fileURLToPath(at)),
  join: (...parts) => path.join(...parts),
  inside,
  realPath,
  read,
  sha256,
  decode,
  byteLength: (text) => Buffer.byteLength(text),
  fileUrl: (at) => url.pathToFileURL(at).href,
  dirname: (at) => path.dirname(at),
  program: () => process.argv[1],
  isBuiltin: (specifier) => process.getBuiltinModule('node:module').isBuiltin(specifier),
  builtin: (specifier) => process.getBuiltinModule(specifier),
  textUrl,
  importUrl: (at) => import(at),
  entryUrl,
  anchorExpression: (key) => `process.getBuiltinModule('node:worker_threads')[Symbol.for(${JSON.stringify(key)})]`,
  runCommonJs,
};

function inside(real: string, dir: string): boolean {
  const relative = path.relative(dir, real);
  return relative !== '' && relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

function realPath(at: string): RealPath {
  try {
    return { path: fs.realpathSync.native(at) };
  } catch (cause) {
    const { code } = cause as { code?: string };
    if (code !== 'ENOENT' && code !== 'ENOTDIR') return { is: 'unreadable', cause };
    try {
      fs.lstatSync(at);
    } catch {
      return { is: 'missing' };
    }
    return { is: 'unreadable', cause };
  }
}

function read(at: string, maxBytes: number): FileRead {
  let file: number | undefined;
  try {
    const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = fs.constants as Partial<Record<string, number>>;
    file = fs.openSync(at, (O_RDONLY ?? 0) | (O_NONBLOCK ?? 0) | (O_NOFOLLOW ?? 0));
    const stat = fs.fstatSync(file);
    if (!stat.isFile()) return { is: 'another-kind', kind: kindOf(stat) };
    if (stat.size > maxBytes) return { is: 'too-large', size: stat.size };
    const bytes = Buffer.allocUnsafeSlow(stat.size);
    let length = 0;
    while (length < bytes.length) {
      const got = fs.readSync(file, bytes, length, bytes.length - length, null);
      if (got === 0) break;
      length += got;
    }
    return { bytes: bytes.subarray(0, length) };
  } catch (cause) {
    return { is: 'unreadable', cause };
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

function kindOf(stat: import('node:fs').Stats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a pipe';
  if (stat.isSocket()) return 'a socket';
  return 'a device';
}

function sha256(bytes: Uint8Array): string {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest('hex');
}

function decode(bytes: Uint8Array): string | undefined {
  const { isAscii, isUtf8 } = process.getBuiltinModule('node:buffer');
  const buffer = bufferOn(bytes);
  // One byte for each unit, whatever is made of it later.
  if (isAscii(buffer)) return buffer.toString('latin1');
  return isUtf8(buffer) ? buffer.toString('utf8') : undefined;
}

/** base64, not percent-encoding: as fast to decode, and made in one step. The text itself may never have been in one string. */
function textUrl(parts: readonly (string | Uint8Array)[], label: string): string {
  const bytes = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part)));
  return `data:text/javascript;base64,${bytes.toString('base64')}#${label}`;
}

/** No copy. */
const bufferOn = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The package's exports; its other files are nobody's business. */
const ENTRIES =
  'coexist coexist/abi coexist/sync coexist/explore coexist/percpu coexist/call coexist/singleton coexist/module coexist/modinfo coexist/namespace coexist/dedupe coexist/preload'.split(
    ' ',
  );

function entryUrl(specifier: string): string | undefined {
  if (!ENTRIES.includes(specifier)) return undefined;
  // Undefined in a bundle of CommonJS.
  const own = (import.meta as { url?: string } | undefined)?.url;
  if (own?.endsWith('/core.js')) {
    const beside = new URL(`./${specifier.split('/')[1] ?? 'index'}.js`, own);
    if (fs.existsSync(beside)) return beside.href;
  }
  // Bundled into the program: the copy that the program would import. All copies share what they hold by the anchors.
  try {
    const from = own?.startsWith('file:') ? own : path.join(process.cwd(), 'program.js');
    const found = process.getBuiltinModule('node:module').createRequire(from).resolve(specifier);
    return url.pathToFileURL(found).href;
  } catch {
    return undefined;
  }
}

function runCommonJs(text: string, at: string, run: CommonJsRun): unknown {
  const vm = process.getBuiltinModule('node:vm');
  const parameters = ['exports', 'require', 'module', '__filename', '__dirname', DYNAMIC_IMPORT];
  const compiled = vm.compileFunction(text, parameters, { filename: at });
  const module = { exports: run.exports as unknown, id: at, filename: at, loaded: false, require: run.require };
  const call = (): unknown =>
    Reflect.apply(compiled, module.exports, [
      module.exports,
      run.require,
      module,
      at,
      path.dirname(at),
      run.dynamicImport,
    ]);
  if (run.timeout === undefined) call();
  else callWithin(vm, call, run.timeout);
  module.loaded = true;
  return module.exports;
}

const CALL = Symbol.for('coexist.call');
let bounded: import('node:vm').Script | undefined;

/** Ends an endless loop, too: the script is interrupted with all that it calls, and no `finally` of theirs runs. Takes 40 us. */
function callWithin(vm: typeof import('node:vm'), call: () => unknown, timeout: number): void {
  const shelf = workerThreads() as unknown as Record<symbol, unknown>;
  bounded ??= new vm.Script(
    `{ const shelf = process.getBuiltinModule('node:worker_threads'), key = Symbol.for('coexist.call'), call = shelf[key];
    delete shelf[key]; call(); }`,
    { filename: 'coexist' },
  );
  Reflect.defineProperty(shelf, CALL, { value: call, configurable: true });
  bounded.runInThisContext({ timeout: Math.max(1, Math.ceil(timeout)) });
}
