// What an interface may look like, and what an implementation of it has to: every refusal names the functions that it is about.

import { CoexistError, invalid, show } from '../abi/errors.js';
import { INTERFACE_NAME, INTERFACE_VERSION_MAX } from '../abi/module.js';
import type { InterfaceDeclaration } from './interface-types.js';
import { isStub, type Stub } from './stub.js';
import type { Functions, Implementation } from './thread-state.js';

/** Methods of tables, and what would make a promise of one. */
const RESERVED: readonly (string | symbol)[] = ['implement', 'withdraw', 'status', 'generation', 'then'];

export interface Shape {
  readonly version: number;
  readonly names: readonly string[];
}

/** @throws COEXIST_EINVAL */
export function slotsOf(
  name: string,
  declaration: InterfaceDeclaration<object>,
): { readonly version: number; readonly stubs: ReadonlyMap<string, Stub<unknown>> } {
  requireName(name);
  const { version, functions } = requireDeclaration(declaration);
  requireVersion(version);
  requireObject(functions);
  const stubs = new Map<string, Stub<unknown>>();
  for (const [key, value] of ownEnumerable(functions)) {
    const label = `functions[${String(key)}]`;
    if (typeof key === 'symbol') throw invalid(label, key, 'functions with names that are strings');
    if (RESERVED.includes(key)) throw invalid(`the name ${label}`, key, `none of ${RESERVED.join(', ')}`);
    if (!isStub(value)) throw invalid(label, value, 'a stub: stub.value(), stub.noop(), stub.throws() or stub.load()');
    stubs.set(key, value);
  }
  if (stubs.size === 0) throw invalid('functions', functions, 'a stub for at least one function');
  return { version, stubs };
}

/** What implements an interface, as it is given. */
export interface ImplementationDeclaration {
  /** Of the interface that it was written for. */
  readonly version: number;
  readonly functions: object;
}

/**
 * Takes an implementation in, reading each property once: what becomes of the object later changes nothing.
 * @throws COEXIST_EINVAL, COEXIST_EREFUSED (a getter throws)
 */
export function implementationOf(name: string, declaration: ImplementationDeclaration): Implementation {
  requireName(name);
  const { version, functions } = requireDeclaration(declaration);
  requireVersion(version);
  requireObject(functions);
  try {
    return { version, functions: { self: functions, all: ownEnumerable(functions) } };
  } catch (cause) {
    const problem = `an implementation of the interface ${show(name)} threw as its functions were read: ${String(cause)}`;
    throw new CoexistError('COEXIST_EREFUSED', problem, {
      found: 'a getter, or a proxy, that throws',
      expected: 'an object of functions',
      remedy: 'Mend the cause; nothing has changed.',
      cause,
    });
  }
}

function ownEnumerable(object: object): ReadonlyMap<string | symbol, unknown> {
  const keys = Reflect.ownKeys(object).filter((key) => Object.prototype.propertyIsEnumerable.call(object, key));
  return new Map(keys.map((key) => [key, (object as Readonly<Record<string | symbol, unknown>>)[key]]));
}

/** What an implementation and an interface differ in. */
interface Difference {
  readonly why: string;
  readonly found: unknown;
  readonly expected: unknown;
}

function difference({ version, names }: Shape, { version: found, functions }: Implementation): Difference | undefined {
  if (found !== version) {
    return { why: `is for version ${found} of it, expected ${version}, as it is defined`, found, expected: version };
  }
  const { all } = functions;
  const missing = names.filter((slot) => !all.has(slot));
  const beyond = [...all.keys()].filter((key) => typeof key === 'symbol' || !names.includes(key)).map(String);
  const wrong = notFunctions(functions).filter((key) => !beyond.includes(key));
  if (missing.length + beyond.length + wrong.length === 0) return undefined;
  const parts = [
    missing.length > 0 ? `lacks ${missing.join(', ')}` : '',
    wrong.length > 0 ? `has ${wrong.join(', ')} as no function` : '',
    beyond.length > 0 ? `has ${beyond.join(', ')}, which the interface does not have` : '',
  ];
  const why = parts.filter((part) => part !== '').join('; ');
  return { why, found: [...all.keys()].map(String), expected: [...names] };
}

/** Why this cannot implement an interface of that shape; undefined where it can. */
export function wrongWith(name: string, shape: Shape, implementation: Implementation): CoexistError | undefined {
  const wrong = difference(shape, implementation);
  return wrong === undefined ? undefined : refused(name, wrong);
}

/** The same of an interface that is not defined yet. */
export function wrongAlone(name: string, { functions }: Implementation): CoexistError | undefined {
  const symbols = [...functions.all.keys()].filter((key) => typeof key === 'symbol').map(String);
  const wrong = [...symbols, ...notFunctions(functions)];
  if (wrong.length === 0) return undefined;
  const why = `has ${wrong.join(', ')} as no function with a name`;
  return refused(name, { why, found: wrong, expected: 'functions with names' });
}

const notFunctions = ({ all }: Functions): string[] =>
  [...all].filter(([key, value]) => typeof key === 'string' && typeof value !== 'function').map(([key]) => String(key));

function refused(name: string, { why, found, expected }: Difference): CoexistError {
  return new CoexistError('COEXIST_EREFUSED', `an implementation of the interface ${show(name)} ${why}`, {
    found,
    expected,
    remedy: 'Implement exactly the functions of the interface, in the version of its definition; nothing has changed.',
  });
}

/** @throws COEXIST_EKIND where what waits for this definition is of another shape */
export function requireWhole(
  name: string,
  shape: Shape,
  waiting: Implementation & { readonly module: string | null },
): void {
  const wrong = difference(shape, waiting);
  if (wrong === undefined) return;
  const whose = waiting.module === null ? 'the program' : `the module ${show(waiting.module)}`;
  throw new CoexistError('COEXIST_EKIND', `what ${whose} implements the interface ${show(name)} with ${wrong.why}`, {
    found: wrong.found,
    expected: wrong.expected,
    remedy: 'Define it as it is implemented already; nothing has changed.',
  });
}

/** @throws COEXIST_EKIND where the interface is defined, and otherwise */
export function requireSame(name: string, { version, names }: Shape, wanted: Shape): void {
  if (version !== wanted.version) {
    throw otherwise(name, `with version ${version}; this is version ${wanted.version}`, version, wanted.version);
  }
  const missing = names.filter((slot) => !wanted.names.includes(slot));
  const beyond = wanted.names.filter((slot) => !names.includes(slot));
  if (missing.length + beyond.length === 0) return;
  const parts = [
    missing.length > 0 ? `this lacks ${missing.join(', ')}` : '',
    beyond.length > 0 ? `it does not have ${beyond.join(', ')}` : '',
  ];
  throw otherwise(name, `and ${parts.filter((part) => part !== '').join('; ')}`, [...names], [...wanted.names]);
}

function otherwise(name: string, how: string, found: unknown, expected: unknown): CoexistError {
  return new CoexistError('COEXIST_EKIND', `the interface ${show(name)} is defined in this thread already, ${how}`, {
    found,
    expected,
    remedy: 'Give one of the two another name, or make them one definition.',
  });
}

/** @throws COEXIST_EINVAL */
export function requireName(name: unknown): asserts name is string {
  if (typeof name === 'string' && INTERFACE_NAME.test(name)) return;
  throw invalid('name', name, '1 to 64 of A-Z a-z 0-9 . _ @ + - : /, the first a letter or digit');
}

function requireDeclaration<D>(declaration: D): D {
  if (typeof declaration === 'object' && declaration !== null) return declaration;
  throw invalid('declaration', declaration, 'an object, as { version: 1, functions }');
}

function requireObject(functions: unknown): asserts functions is object {
  if (typeof functions !== 'object' || functions === null) throw invalid('functions', functions, 'an object');
}

/** @throws COEXIST_EINVAL */
export function requireVersion(version: unknown): asserts version is number {
  if (Number.isInteger(version) && Number(version) >= 1 && Number(version) <= INTERFACE_VERSION_MAX) return;
  throw invalid('version', version, `an integer from 1 to ${INTERFACE_VERSION_MAX}`);
}
