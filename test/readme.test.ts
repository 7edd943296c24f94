// The examples of README.md and of the pages in docs/ run as they stand.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = new URL('../', import.meta.url);
const pages = ['README.md', ...readdirSync(new URL('docs', root)).map((name) => `docs/${name}`)];
const examples = pages.flatMap((page) =>
  [...readFileSync(new URL(page, root), 'utf8').matchAll(/```js\n([\s\S]*?)```/g)].map(
    ([, code], index) => [page, index + 1, code as string] as const,
  ),
);

test('there are examples', () => {
  expect(examples.some(([page]) => page === 'README.md')).toBe(true);
});

test.each(examples)('%s, example %i runs', (_page, _index, code) => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: fileURLToPath(root),
    encoding: 'utf8',
    timeout: 20_000,
  });
  // A line that says what it prints: `console.log(x); // prints: y`.
  const promised = [...code.matchAll(/\/\/ prints: (.*)$/gm)].map(([, text]) => text as string);
  for (const text of promised) expect(output).toContain(text);
});
