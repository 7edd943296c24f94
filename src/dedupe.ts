// coexist/dedupe: node --import coexist/dedupe app.js, with the names of the packages in COEXIST_UNIQUE. Every copy of them that the range of
// whoever imports it allows becomes one instance. `npx coexist dedupe --unique graphql,zod app.js` does the same.

import { startDedupe } from './namespace/dedupe.js';

startDedupe();
