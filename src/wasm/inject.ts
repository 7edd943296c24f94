// Injection points: numbered places inside an operation where a test delays, yields, sleeps or dies. Production builds have
// none (COEXIST_INJECT is a constant of the build, and what depends on it is dropped).

/** What happens at a point. Only a test build calls it; a tool puts its own function here. */
export const injection: { at(point: number): void } = { at: () => {} };
