// S19: a native addon is one for the process. Every namespace has a proxy of it, also of those that are isolated; none of its own is to be had.

import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inChild, root } from '../support/child.js';
import { type Library, library, newDirectory, onePackage, writeTree } from '../support/namespace-trees.js';

/** One of an installed package, for this system. */
function installedAddon(): string {
  const { platform, arch } = process;
  const within = join(root, `node_modules/@koromix/koffi-${platform}-${arch}`);
  const header = (process.report?.getReport() as { header?: object } | undefined)?.header;
  const libc = header !== undefined && 'glibcVersionRuntime' in header ? platform : 'musl';
  const addon = join(within, `${libc}_${arch}`, 'koffi.node');
  if (!existsSync(addon)) throw new Error(`no addon to try with: ${addon}`);
  return addon;
}

test('an addon in the base, in permanent, isolated and closable namespaces', async () => {
  const dir = writeTree(
    {
      'package.json': { name: 'program', version: '1.0.0' },
      ...onePackage('native', { type: 'commonjs', body: `exports.addon = require('./build/addon.node');` }),
      ...onePackage('native-esm', {
        body: `import { createRequire } from 'node:module'; export const addon = createRequire(import.meta.url)('native/build/addon.node'); export * as native from 'native';`,
      }),
      'node_modules/native/build/keep': '',
    },
    newDirectory('addons'),
  );
  copyFileSync(installedAddon(), `${dir}/node_modules/native/build/addon.node`);
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir }) => {
      const { iterate, openNamespace } = await load<Library>(library);
      const { dlopen } = process;
      const opened: string[] = [];
      process.dlopen = (module: object, file: string, ...rest: unknown[]) => {
        opened.push(file);
        return Reflect.apply(dlopen, process, [module, file, ...rest]);
      };
      const from = `${dir}/program.js`;
      const at = './node_modules/native/build/addon.node';
      const addons: unknown[] = [];
      const kinds: unknown[] = [];
      const absent = await openNamespace({ from }).open(at, { noload: true });
      type Module = { addon: unknown; native?: { addon: unknown } };
      const note = (ns: { id: number }) =>
        kinds.push(
          iterate(ns.id)
            .map(
              ({ path, kind, realNs }) =>
                `${path.slice(dir.length + '/node_modules/'.length)} ${kind} ${realNs === ns.id}`,
            )
            .sort(),
        );

      const permanent = openNamespace({ from });
      const { module } = (await permanent.open('native-esm')) as { module: Module };
      addons.push(module.addon, module.native?.addon);
      note(permanent);
      const isolated = openNamespace({ from });
      addons.push(((await isolated.open('native', { isolate: true })) as { module: Module }).module.addon);
      note(isolated);
      const closable = openNamespace({ kind: 'closable', from });
      const handle = await closable.open('native');
      addons.push((handle.module as Module).addon);
      note(closable);
      handle.close();
      addons.push(process.getBuiltinModule('node:module').createRequire(from)('native').addon);

      const direct = await closableAgain();
      async function closableAgain() {
        const ns = openNamespace({ kind: 'closable', from });
        const proxy = await ns.open(at);
        addons.push(proxy.module);
        return [proxy.kind, proxy.realNs, proxy.close().released];
      }
      const proxy = await permanent.open(at);
      addons.push(proxy.module);
      const refused: unknown[] = [];
      for (const ns of [permanent, openNamespace({ from }), openNamespace({ kind: 'closable', from })]) {
        const before = JSON.stringify(iterate(ns.id));
        await ns.open(at, { isolate: true }).then(
          () => refused.push('opened'),
          ({ code, remedy }) => refused.push(code, remedy, JSON.stringify(iterate(ns.id)) === before),
        );
      }
      return {
        absent,
        same: new Set(addons).size === 1 && typeof addons[0] === 'object',
        kinds,
        direct: [...direct, proxy.kind],
        opened: opened.map((file) => file === `${dir}/node_modules/native/build/addon.node`),
        refused,
      };
    },
    { library, dir },
  );
  const listed = ['native/build/addon.node proxy false', 'native/index.js own true'];
  const refusal = ['COEXIST_EUNSUPPORTED', expect.stringContaining('shared'), true];
  expect(result, stderr).toEqual({
    absent: null,
    same: true,
    kinds: [[...listed.slice(0, 1), 'native-esm/index.js own true', ...listed.slice(1)].sort(), listed, listed],
    direct: ['proxy', 0, true, 'proxy'],
    opened: [true],
    refused: [...refusal, ...refusal, ...refusal],
  });
});
