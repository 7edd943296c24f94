// What modules of one directory want of each other: dependencies that are there, for the same hosts, and lead nowhere in a circle; and
// nothing that two of them claim (docs/ABI.md, clause 71). Every problem is found, not only the first.

import type { ManifestModule } from '../core.js';

type Related = Pick<ManifestModule, 'name' | 'file' | 'depends' | 'targets' | 'objects' | 'options'>;

/** In words, in the order of the modules; empty: they fit. */
export function relationProblems(modules: readonly Related[]): string[] {
  const byName = new Map<string, Related>();
  const problems: string[] = [];
  for (const module of modules) {
    const other = byName.get(module.name);
    if (other === undefined) byName.set(module.name, module);
    else problems.push(`${other.file} and ${module.file} are both named ${quoted(module.name)}`);
  }
  return [
    ...problems,
    ...claimedTwice(modules, 'objects', 'provide the object'),
    ...claimedTwice(modules, 'options', 'are for the option'),
    ...modules.flatMap((module) => unmet(module, byName)),
    ...cycles(byName),
  ];
}

function claimedTwice(modules: readonly Related[], kind: 'objects' | 'options', words: string): string[] {
  const problems: string[] = [];
  const claims = new Map<string, Related[]>();
  for (const module of modules) {
    for (const claimed of module[kind]) {
      const others = claims.get(claimed) ?? [];
      for (const other of others) {
        const host = commonHost(other.targets, module.targets);
        if (host === undefined) continue;
        problems.push(`${other.file} and ${module.file} both ${words} ${quoted(claimed)}, and ${host} may load both`);
      }
      claims.set(claimed, [...others, module]);
    }
  }
  return problems;
}

/** In words; no targets: all hosts. */
function commonHost(a: readonly string[], b: readonly string[]): string | undefined {
  if (a.length === 0 && b.length === 0) return 'every host';
  if (a.length === 0) return `host ${quoted(b[0] ?? '')}`;
  const common = b.length === 0 ? a[0] : a.find((target) => b.includes(target));
  return common === undefined ? undefined : `host ${quoted(common)}`;
}

function unmet({ name, file, depends, targets }: Related, byName: ReadonlyMap<string, Related>): string[] {
  return depends.flatMap((wanted) => {
    const dependency = byName.get(wanted);
    if (dependency === undefined)
      return `${file}: ${name} depends on ${quoted(wanted)}, and no module here has that name`;
    if (dependency.targets.length === 0) return [];
    const without = targets.filter((target) => !dependency.targets.includes(target));
    if (targets.length > 0 && without.length === 0) return [];
    const hosts = targets.length === 0 ? 'every host' : without.map((target) => `host ${quoted(target)}`).join(', ');
    return (
      `${file}: ${name} is for ${hosts} and depends on ${quoted(wanted)}, ` +
      `which is only for ${dependency.targets.map(quoted).join(', ')} (${dependency.file})`
    );
  });
}

/** One path for each dependency that closes a circle. Without recursion: a chain can be as long as the directory. */
function cycles(byName: ReadonlyMap<string, Related>): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const start of byName.keys()) {
    const path: { readonly name: string; next: number }[] = [];
    if (!seen.has(start)) path.push({ name: start, next: 0 });
    seen.add(start);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const wanted = byName.get(top.name)?.depends[top.next++];
      if (wanted === undefined) path.pop();
      else if (!seen.has(wanted)) {
        seen.add(wanted);
        path.push({ name: wanted, next: 0 });
      } else {
        const from = path.findIndex(({ name }) => name === wanted);
        if (from < 0) continue;
        const names = [...path.slice(from).map(({ name }) => name), wanted];
        const files = names.slice(0, -1).map((name) => byName.get(name)?.file);
        problems.push(`modules depend on each other in a circle: ${names.join(' -> ')} (${files.join(', ')})`);
      }
    }
  }
  return problems;
}

const quoted = (text: string): string => JSON.stringify(text);
