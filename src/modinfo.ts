// coexist/modinfo: what a build does for its modules: declares them, and collects the manifest that a loader decides by.

export type { FullDeclaration, Manifest, ManifestModule, ModuleDeclaration, SourceReference } from './core.js';
export { banner } from './modinfo/banner.js';
export { collect, type Skipped, type Survey, survey } from './modinfo/collect.js';
export { manifestIn, saveManifest, writeManifest } from './modinfo/write.js';
