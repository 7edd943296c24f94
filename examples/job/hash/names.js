// What the main thread and the workers of the job must agree on.
// @ts-check

/** The meter's prefix. */
export const METER = 'job';

/** Characters of a path that name its span: the end tells more than the beginning. */
export const TITLE_LENGTH = 36;
