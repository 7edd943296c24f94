// Unique packages: one copy of each, its master, stands for every other copy that the importer's range allows, wherever it is asked for.
// The master is the copy that is asked for first, or the highest version in the tree that its importer can have. With the first one, a tree that
// has a version for everybody does not come to one copy as soon as an old one is loaded before the others: nothing that is loaded is replaced.
//
// Copies are told by the package's name, and files that are no part of a copy by their identity on disk.
//
// A dual package has one file for `import` and another one for `require()`. Both get the one for `import`: an ES module can be required
// (unless it awaits at its top level), while CommonJS does not give every name to an import.

import compare from 'semver/functions/compare.js';
import satisfies from 'semver/functions/satisfies.js';
import valid from 'semver/functions/valid.js';
import { CoexistError } from '../abi/errors.js';
import { fs, process } from '../host/node/builtin.js';
import { createCopies } from './copies.js';
import { exportedAs, isFile } from './exports.js';
import { bareParts, installedIn, type Package, type Packages, rangeOf } from './packages.js';
import type { Master, Merge, State, StateEvent, UniquePolicy } from './state.js';

const path = process.getBuiltinModule('node:path');

/** A request for a file of a package. Real paths. */
export interface Request {
  readonly specifier: string;
  /** The file that asks; undefined for the program's entry. */
  readonly importer: string | undefined;
  /** What Node resolves it to. */
  readonly target: string;
}

/** A file in the base that a request is to get, or 'private': its own copy, where it is. */
export type UniqueFile = string | 'private';

export interface Uniques {
  /** Undefined where the file is of no unique package. `inBase`: whether a copy out of range may become a second master. */
  fileFor(request: Request, inBase: boolean): UniqueFile | undefined;
  /** Whether a file is of a unique package, or one of its files under another name. Changes nothing. */
  isUnique(target: string): boolean;
  /** Whether what this specifier resolves to can be unique. Files asked for by paths are, only where a package is. */
  concerns(specifier: string): boolean;
}

const POLICIES: readonly unknown[] = ['throw', 'warn', 'private'] satisfies UniquePolicy[];

export function createUniques(state: State, packages: Packages, emit: (event: StateEvent) => void): Uniques {
  const copiesOf = createCopies();

  function policyOf({ name, json }: Package): UniquePolicy | undefined {
    const listed = state.uniques.get(name);
    if (listed !== undefined) return listed;
    const own = json.coexist?.unique;
    if (own === true) return 'throw';
    return POLICIES.includes(own) ? (own as UniquePolicy) : undefined;
  }

  function remember(file: string): string {
    const identity = identityOf(file);
    if (identity !== undefined && state.files.get(identity) !== file) emit({ t: 'file', identity, path: file });
    return file;
  }

  /**
   * The file of a master that this is under another name. Not for what is installed: package managers link files with the same content,
   * whatever package they are of, and that two packages have the same index.js says nothing.
   */
  function knownAs(target: string): string | undefined {
    if (state.files.size === 0 || installedIn(target) !== undefined) return undefined;
    return state.files.get(identityOf(target) ?? '');
  }

  function fileFor({ specifier, importer, target }: Request, inBase: boolean): UniqueFile | undefined {
    const pkg = packages.of(target);
    const policy = pkg === undefined ? undefined : policyOf(pkg);
    if (pkg === undefined || policy === undefined) {
      const known = knownAs(target);
      return known === target ? undefined : known;
    }
    const masters = state.masters.get(pkg.name) ?? [];
    const mine = masters.find(({ root }) => root === pkg.root);
    if (mine !== undefined) return remember(counterpart(mine, pkg, specifier, target) ?? target);
    const from = importer === undefined ? undefined : packages.of(importer);
    // What a copy imports of itself is that copy's, as it was placed.
    if (from?.root === pkg.root) return 'private';
    const range = rangeOf(from, bareParts(specifier)?.[0] ?? pkg.name, pkg.version);
    const told = {
      name: pkg.name,
      version: pkg.version,
      root: pkg.root,
      importer: from?.name ?? importer ?? '',
      range,
    };
    const allowed = masters.filter(({ version }) => allows(range, version));
    for (const master of allowed) {
      const file = counterpart(master, pkg, specifier, target);
      if (file === undefined) continue;
      tell({ ...told, outcome: 'merged', into: master });
      return remember(file);
    }
    const [first] = masters;
    if (first === undefined) return newMaster(pkg, told, specifier, target);
    if (policy === 'throw') throw refusal(told, allowed, first, specifier, path.relative(pkg.root, target));
    if (policy === 'warn') {
      const file = counterpart(first, pkg, specifier, target);
      if (file !== undefined) {
        tell({ ...told, outcome: 'warned', into: first });
        return remember(file);
      }
    }
    // A file that the master lacks makes no second master: it would take over what the first one has.
    if (inBase && allowed.length === 0) return newMaster(pkg, told, specifier, target, first);
    tell({ ...told, outcome: 'kept', into: first });
    return 'private';
  }

  /** The file for a request that no master can serve, in the base. `first`: the master that is there. */
  function newMaster(
    pkg: Package,
    told: Omit<Merge, 'outcome' | 'into'>,
    specifier: string,
    target: string,
    first?: Master,
  ): string {
    const { name, version, root } = told;
    const best = state.highest.has(name) ? highest(told) : undefined;
    const file = best === undefined ? undefined : counterpart(best, pkg, specifier, target);
    if (best !== undefined && file !== undefined) {
      emit({ t: 'master', master: best });
      tell({ ...told, outcome: 'merged', into: best });
      return remember(file);
    }
    const copy: Master = { name, version, root };
    if (first !== undefined) tell({ ...told, outcome: 'kept', into: first });
    emit({ t: 'master', master: copy });
    return remember(counterpart(copy, pkg, specifier, target) ?? target);
  }

  /** Of the copies in a copy's tree, the highest version that can take its place; undefined where that is the copy itself. */
  function highest({ name, version, root, range }: Omit<Merge, 'outcome' | 'into'>): Master | undefined {
    if (valid(version) === null) return undefined;
    const able = copiesOf(name, root).filter(
      // Without prereleases, unless the copy is one.
      (other) => allows(range, other.version) && satisfies(other.version, `^${version}`),
    );
    const best = able.reduce<Master>((a, b) => (compare(b.version, a.version) > 0 ? b : a), { name, version, root });
    return best.root === root ? undefined : best;
  }

  /** Once for each copy, importer and outcome. */
  function tell(merge: Merge): void {
    const known = state.merges.some(
      ({ root, importer, outcome }) => root === merge.root && importer === merge.importer && outcome === merge.outcome,
    );
    if (!known) emit({ t: 'merge', merge });
  }

  /** The file of a master that stands for a copy's file. Undefined where it has none. */
  function counterpart(master: Master, pkg: Package, specifier: string, target: string): string | undefined {
    const json = packages.of(path.join(master.root, 'package.json'))?.json;
    const bare = bareParts(specifier);
    const exported = bare === undefined ? undefined : exportedAs(json, bare[1], 'import');
    if (exported !== undefined && bare !== undefined) {
      // What has nothing for an import has CommonJS for all.
      const some = exported.length > 0 ? exported : (exportedAs(json, bare[1], 'require') ?? []);
      return some.map((relative) => path.join(master.root, relative)).find(isFile);
    }
    const file = path.join(master.root, path.relative(pkg.root, target));
    return isFile(file) ? file : undefined;
  }

  return {
    fileFor,
    isUnique(target) {
      const pkg = packages.of(target);
      return (pkg !== undefined && policyOf(pkg) !== undefined) || knownAs(target) !== undefined;
    },
    concerns: (specifier) => state.uniques.size > 0 || state.masters.size > 0 || !/^(?:[./]|file:)/.test(specifier),
  };
}

/** `lacking`: masters in range, which do not have the file that is asked for. `first`: the master, where none is in range. */
function refusal(
  { name, version, root, importer, range }: Omit<Merge, 'outcome' | 'into'>,
  [lacking]: readonly Master[],
  first: Master,
  specifier: string,
  file: string,
): CoexistError {
  if (lacking !== undefined) {
    const problem = `${importer} asks for ${specifier}, of which the copy that stands for all, ${lacking.version} in ${lacking.root}, has no file`;
    return new CoexistError('COEXIST_EREFUSED', problem, {
      found: `${name} ${lacking.version}`,
      expected: `a copy with ${file}`,
      remedy: `Install one version of ${name} that has it, or declare it unique with the policy 'private'.`,
    });
  }
  const problem =
    `${importer} wants ${name} ${range}, and the copy that stands for all is ` +
    `${first.version} in ${first.root} (its own would be ${version} in ${root})`;
  return new CoexistError('COEXIST_EREFUSED', problem, {
    found: first.version,
    expected: range,
    remedy: `Install one version of ${name} that all of them accept, or declare it unique with the policy 'warn' or 'private'.`,
  });
}

const allows = (range: string, version: string): boolean =>
  version === '' || satisfies(version, range, { includePrerelease: true });

function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = fs.statSync(file, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
