// What each part says of itself; the build adds its fingerprint. Two are ES modules, the two large ones CommonJS.
// @ts-check

/** @typedef {Omit<import('coexist/module').ModuleDeclaration, 'fingerprint'>} Part */

/** @type {readonly Part[]} */
export const PARTS = [
  { name: 'block-core', type: 'module', objects: ['blocks'], interfaces: { 'example/blocks': 1 } },
  {
    name: 'block-zip',
    type: 'module',
    objects: ['driver:zip', 'archive'],
    depends: ['block-core'],
    interfaces: { 'example/archive': 1 },
  },
  {
    name: 'block-sqlite',
    type: 'commonjs',
    objects: ['driver:sqlite', 'catalogue'],
    options: ['catalogue'],
    depends: ['block-core'],
    interfaces: { 'example/catalogue': 1 },
  },
  {
    name: 'ui-report',
    type: 'commonjs',
    objects: ['report'],
    options: ['report'],
    targets: ['system'],
    interfaces: { 'example/report': 1 },
  },
];
