// The builds of the library that the selftests run on: what is published, the same with injection points, and that with a second
// comparison inside critical sections.

import type { Library } from './selftest-ground.js';
import type { BuildName } from './selftest-set.js';

const files: Readonly<Record<BuildName, string>> = {
  production: '../../dist/core.js',
  plain: '../inject/core.js',
  twice: '../inject-compare-twice/core.js',
};

export const loadLibrary = (build: BuildName): Promise<Library> => import(new URL(files[build], import.meta.url).href);
