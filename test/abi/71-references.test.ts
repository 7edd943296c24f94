// Clause 71: the places in a module's text that stand for something else when it runs, in whatever text they stand.

import { readFileSync } from 'node:fs';
import { collect } from 'coexist/modinfo';
import { describe, expect, test } from 'vitest';
import { lib } from '../support/module-entries.js';
import { aBuild, aDirectory, declarationText, writeModule, writeText } from '../support/modules.js';

/** The places between « and » in a text, and the text without these marks. */
function marked(text: string): { readonly text: string; readonly places: readonly (readonly [number, number])[] } {
  const [first = '', ...rest] = text.split(/[«»]/);
  let plain = first;
  const ends = rest.map((part) => {
    const at = plain.length;
    plain += part;
    return at;
  });
  const places = ends.flatMap((at, k) => (k % 2 === 0 ? [[at, ends[k + 1] ?? at] as const] : []));
  return { text: plain, places };
}

describe('references', () => {
  const ES: readonly [string, string, readonly string[]][] = [
    ['a static import', 'import x from «"dep"»;', ['import dep']],
    ['import for its effects', 'import «\'dep\'»;import\n«"dep2"»', ['import dep', 'import dep2']],
    ['without spaces', 'import*as a from«"dep"»;import b,{c}from«"dep2"»', ['import dep', 'import dep2']],
    ['export from', 'export * from «"dep"»; export { x as y } from «"dep2"»', ['import dep', 'import dep2']],
    [
      'with comments',
      'import { x, /* from "dep" */ y // "dep"\n } /* "dep" */ from «"dep"»/**/; import/* */z/* */from/* */«"dep2"»',
      ['import dep', 'import dep2'],
    ],
    ['with escapes', 'import «"\\x64e\\u0070"»; import «\'d\\\ne\\p\\u{32}\'»', ['import dep', 'import dep2']],
    ['import()', 'await import(«"dep"»); import( /* "dep" */ «`dep2`» );', ['import dep', 'import dep2']],
    ['import() with options', 'import(«"dep"», { with: {} }); import(«"dep2"»,)', ['import dep', 'import dep2']],
    ['import() in an import() in a template', `\`\${import(f(await import(«"dep"»)))}\``, ['import dep']],
    ['import() of what is computed', `import(x); import("dep" + x); import(\`\${x}dep\`); import("dep" ? x : y)`, []],
    ['the library', 'import «"coexist/module"»; import(«"coexist"»)', ['import coexist/module', 'import coexist']],
    ['the runtime', 'import "fs"; import "node:fs/promises"; import("node:path")', []],
    [
      'import.meta.url and its like',
      'f(«import.meta.url», «import.meta.dirname», «import.meta.filename»)',
      ['url', 'dirname', 'filename'],
    ],
    ['import.meta with spaces', '«import . meta\n. /* . */ url»; «import.meta // x\n?.dirname»', ['url', 'dirname']],
    ['import.meta in a template', `\`import.meta.url \${«import.meta.url».slice(1)}\``, ['url']],
    ['import.meta twice in a row', '[«import.meta.url»,«import.meta.url»]', ['url', 'url']],
    ['names that begin alike', 'import.meta.urlx; import.meta.url\\u0061; import.meta.url$; import.meta.dirnameé', []],
    [
      'other uses of import.meta',
      'import.meta; import.meta["url"]; const { url } = import.meta; import.meta /* a */ + x /* b */.url',
      [],
    ],
    ['not code', '"import.meta.url"; `import("dep")`; // import "dep"\n/* import.meta.url */ /import.meta.url/', []],
    ['properties', 'a.import("dep"); a.import.meta.url; ({ import() {} })', []],
  ];
  const COMMONJS: readonly [string, string, readonly string[]][] = [
    ['import()', '«import»("node:fs"); «import» (x).then(() => «import»("dep"))', ['import()', 'import()', 'import()']],
    ['in functions and templates', `exports.f = async () => \`\${await «import»("dep")}\``, ['import()']],
    ['not code', 'a.import(x); "import(x)"; /import(x)/; ({ import(x) {} }) // import(x)', []],
    ['require', 'require("dep"); require("anything"); require("./x")', []],
  ];
  const BEFORE: readonly [string, string][] = [
    ['', ''],
    ['a byte order mark', '\ufeff'],
    ['lines that end in CRLF', '// a\r\n// b\r\n'],
    ['characters outside the BMP', '\ufeff/* \u{1F600}é\u{10FFFF} */ '],
  ];
  const cases = [
    ...ES.map((row) => ['module', ...row] as const),
    ...COMMONJS.map((row) => ['commonjs', ...row] as const),
  ];

  test.each(cases)('%s: %s', (type, _, body, kinds) => {
    for (const [what, before] of BEFORE) {
      const declaration = declarationText({ name: 'a', type, depends: ['dep', 'dep2'] });
      const { text, places } = marked(`${before}${body}\n${declaration}\n`);
      const dir = aDirectory();
      writeText(dir, 'a.js', text);
      writeModule(dir, { name: 'dep' });
      writeModule(dir, { name: 'dep2' });
      const [entry] = collect(dir).modules;
      const { references } = entry ?? { references: [] };
      // The byte order mark is no part of the text.
      const shift = text.startsWith('\ufeff') ? 1 : 0;
      const found = references.map(({ start, end }) => [start + shift, end + shift]);
      expect(found, what).toEqual(places);
      const words = references.map((reference) =>
        reference.is === 'import' ? `import ${reference.specifier}` : reference.is,
      );
      expect(words, what).toEqual(kinds);
      // Whatever is collected is what a loader finds there.
      const options = { dirs: [dir], fingerprint: aBuild(), origin: 'this test', maxBytes: 10_000 };
      const verified = entry && lib.findAndVerify(entry, options);
      expect(verified, what).toMatchObject({ ok: true });
    }
  });

  test('with the places replaced, an engine sees what the module means', async () => {
    const body = [
      'import { seen as a } from "dep"; const b = (await import(`dep`)).seen;',
      `export const url = \`\${import.meta . url}\`, dirname = import.meta?.dirname;`,
      'export const text = "import.meta.url" + /import.meta.url/.source, seen = [a, b];',
    ].join('\n');
    const dir = aDirectory();
    const path = writeModule(dir, { name: 'a', depends: ['dep'] }, body);
    writeModule(dir, { name: 'dep' });
    const dep = 'data:text/javascript,export const seen = 7';
    const values = { import: dep, 'import()': '', url: 'file:///a.mjs', dirname: '/', filename: '/a.mjs' };
    let text = readFileSync(path, 'utf8');
    for (const { start, end, is } of [...(collect(dir).modules[0]?.references ?? [])].reverse()) {
      text = text.slice(0, start) + JSON.stringify(values[is]) + text.slice(end);
    }
    const module: unknown = await import(`data:text/javascript,${encodeURIComponent(text)}`);
    expect({ ...(module as object) }).toEqual({
      url: 'file:///a.mjs',
      dirname: '/',
      text: 'import.meta.urlimport.meta.url',
      seen: [7, 7],
    });
  });
});
