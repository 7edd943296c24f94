// collect(): what modules of one directory want of each other. Every problem is told, with all files it is about.

import { describe, expect, test } from 'vitest';
import { type Declared, type ModuleSource, problemsOf } from '../support/modules.js';

describe('modules that do not fit', () => {
  const a: Declared = { name: 'a' };
  const b: Declared = { name: 'b' };
  const c: Declared = { name: 'c' };

  test.each<[string, readonly Declared[], readonly string[]]>([
    [
      'a missing dependency, and who needs it',
      [{ ...a, depends: ['b', 'x'] }, b],
      ['a.mjs: a depends on "x", and no module here has that name'],
    ],
    [
      'a dependency that has not the host of its dependent',
      [
        { ...a, depends: ['b'], targets: ['main', 'img'] },
        { ...b, targets: ['img', 'ui'] },
      ],
      ['a.mjs: a is for host "main" and depends on "b", which is only for "img", "ui" (b.mjs)'],
    ],
    [
      'a dependency with targets of a dependent for all hosts',
      [
        { ...a, depends: ['b'] },
        { ...b, targets: ['img'] },
      ],
      ['a.mjs: a is for every host and depends on "b", which is only for "img" (b.mjs)'],
    ],
    ['a circle of one', [{ ...a, depends: ['a'] }], ['modules depend on each other in a circle: a -> a (a.mjs)']],
    [
      'a circle of two',
      [
        { ...a, depends: ['b'] },
        { ...b, depends: ['a'] },
      ],
      ['modules depend on each other in a circle: a -> b -> a (a.mjs, b.mjs)'],
    ],
    [
      'a circle that one leads into',
      [
        { ...a, depends: ['b'] },
        { ...b, depends: ['c'] },
        { ...c, depends: ['b'] },
      ],
      ['modules depend on each other in a circle: b -> c -> b (b.mjs, c.mjs)'],
    ],
    [
      'two circles through one',
      [
        { ...a, depends: ['b', 'c'] },
        { ...b, depends: ['a'] },
        { ...c, depends: ['a'] },
      ],
      [
        'modules depend on each other in a circle: a -> b -> a (a.mjs, b.mjs)',
        'modules depend on each other in a circle: a -> c -> a (a.mjs, c.mjs)',
      ],
    ],
    [
      'one object of two',
      [
        { ...a, objects: ['x'] },
        { ...b, objects: ['y', 'x'] },
      ],
      ['a.mjs and b.mjs both provide the object "x", and every host may load both'],
    ],
    [
      'one object of two, where one host can load both',
      [
        { ...a, objects: ['x'], targets: ['img', 'ui'] },
        { ...b, objects: ['x'], targets: ['ui'] },
      ],
      ['a.mjs and b.mjs both provide the object "x", and host "ui" may load both'],
    ],
    [
      'one option of three',
      [
        { ...a, options: ['o'], targets: ['img'] },
        { ...b, options: ['o'] },
        { ...c, options: ['o'], targets: ['ui'] },
      ],
      [
        'a.mjs and b.mjs both are for the option "o", and host "img" may load both',
        'b.mjs and c.mjs both are for the option "o", and host "ui" may load both',
      ],
    ],
  ])('%s', (_, modules, problems) => {
    expect(problemsOf(modules.map((module) => [module]))).toEqual(problems);
  });

  test('one name of two files, whatever their hosts', () => {
    const modules: ModuleSource[] = [
      [{ name: 'a', targets: ['img'] }, '', 'one.mjs'],
      [{ name: 'a', targets: ['ui'] }, '', 'two.mjs'],
    ];
    expect(problemsOf(modules)).toEqual(['one.mjs and two.mjs are both named "a"']);
  });

  test('a name of a module may be an object or an option of another, and hosts apart may share objects', () => {
    const here: Declared = { name: 'a', objects: ['b', 'x'], options: ['x'], targets: ['img'] };
    expect(problemsOf([[here], [{ ...here, name: 'b', targets: ['ui'] }]])).toEqual([]);
  });

  test('a dependency for all hosts, or for more hosts than its dependent, is one', () => {
    const depends = ['b', 'c'];
    const modules: Declared[] = [{ ...a, depends, targets: ['img'] }, b, { ...c, targets: ['ui', 'img'] }];
    expect(problemsOf(modules.map((module) => [module]))).toEqual([]);
  });

  test('a chain of a thousand is no circle', () => {
    const names = Array.from({ length: 1000 }, (_, k) => `m${k}`);
    const modules = names.map((name, k): ModuleSource => [{ name, depends: names.slice(k + 1, k + 3) }]);
    expect(problemsOf(modules)).toEqual([]);
  });
});
