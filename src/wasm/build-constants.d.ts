// Constants that scripts/build.js defines.

/** Whether this build has injection points. */
declare const COEXIST_INJECT: boolean;
/** Whether critical sections compare a second time before they commit, and stop at a difference. */
declare const COEXIST_COMPARE_TWICE: boolean;
