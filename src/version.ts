// The package's version, put in at build time from package.json.

declare const COEXIST_VERSION: string;

/** The version of this copy of the library. */
export const version: string = COEXIST_VERSION;
