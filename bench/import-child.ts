// A process of the topic import: imports what it is told to, and prints how many ms that took.

const specifier = process.argv[2] ?? '';
const started = performance.now();
await import(specifier);
console.log(performance.now() - started);
