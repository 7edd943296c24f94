// Whether what a module implements fits: what it declares, what the process and this thread have defined, and what others implement
// already. Asked before its initialisers run, and once more at the moment in which it is loaded.

import { show } from '../abi/errors.js';
import { endingOf } from './endings.js';
import { checkImplementation } from './implementing.js';
import { interfaceVersionAt } from './interface-word.js';
import type { ManifestModule } from './manifest.js';
import type { Settings } from './options.js';
import { refusedInterface } from './refusals.js';
import { type Ending, type ThreadModule, threadModules } from './thread-state.js';

/** An interface that the process, or this thread, has in another version than the module declares. */
export function otherVersion({ area }: Settings, { name, interfaces }: ManifestModule): Ending | undefined {
  for (const [each, version] of Object.entries(interfaces)) {
    const here = threadModules().interfaces.get(each)?.definition?.version;
    const found = here ?? interfaceVersionAt(area, each);
    if (found === undefined || found === version) continue;
    const where = here === undefined ? 'the process' : 'this thread';
    return refused(
      name,
      `module ${show(name)} implements version ${version} of interface ${show(each)}, expected ${found}, which ${where} has`,
      {
        found: version,
        expected: found,
        remedy: 'Build the module and the host against one version of the interface.',
      },
    );
  }
  return undefined;
}

/** An interface of the module that has an implementation already, or is to have one when another module is loaded. */
export function taken(module: ThreadModule, { name, interfaces }: ManifestModule): Ending | undefined {
  for (const each of Object.keys(interfaces)) {
    const known = threadModules().interfaces.get(each);
    const provider = known?.waiting === undefined ? known?.current.provider : known.waiting.module;
    const other = provider === undefined ? claimant(module, each) : provider;
    if (other === undefined) continue;
    const who = other === null ? 'the program itself' : `module ${show(other)}`;
    return refused(
      name,
      `interface ${show(each)} is ${provider === undefined ? 'about to be ' : ''}implemented by ${who}, expected by nobody before module ${show(name)} is loaded`,
      {
        found: other,
        expected: undefined,
        remedy: 'Load one of them, or withdraw the other implementation first.',
      },
    );
  }
  return undefined;
}

/** Another module on its way into this thread that has claimed the interface: of two, the later one has to know before it runs. */
function claimant(module: ThreadModule, name: string): string | undefined {
  for (const modules of threadModules().areas.values()) {
    for (const each of modules.values()) {
      if (each !== module && each.state === 'loading' && each.claims.includes(name)) return each.key;
    }
  }
  return undefined;
}

/** What an evaluated module implements, against what it declares and what is defined. */
export function misfit({ implementations }: ThreadModule, { name, interfaces }: ManifestModule): Ending | undefined {
  for (const [each, { version, functions }] of implementations) {
    const declared = Object.hasOwn(interfaces, each) ? interfaces[each] : undefined;
    if (declared !== version) {
      const found = `version ${version} of interface ${show(each)}`;
      const expected = declared === undefined ? 'none of that name' : `version ${declared}`;
      return refused(name, `module ${show(name)} implements ${found}, expected ${expected}, as it declares`, {
        found: version,
        expected: declared,
        remedy: 'Declare what it implements, in its version, and build it again.',
      });
    }
    const error = checkImplementation(each, version, functions);
    if (error !== undefined) {
      return { outcome: 'refused', reason: 'interface', culprit: name, message: error.message, error };
    }
  }
  const missing = Object.keys(interfaces).find((each) => !implementations.has(each));
  if (missing === undefined) return undefined;
  return refused(
    name,
    `module ${show(name)} does not implement interface ${show(missing)}, expected it to, as it declares`,
    {
      found: [...implementations.keys()],
      expected: Object.keys(interfaces),
      remedy: 'Implement it at the top level of the module, or take it out of the declaration.',
    },
  );
}

const refused = (...all: Parameters<typeof refusedInterface>): Ending => endingOf(refusedInterface(...all));
