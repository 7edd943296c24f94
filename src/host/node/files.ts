// Node's answers to the questions of src/host/files.ts. What they need is loaded at the first use.

import type { Files } from '../files.js';
import { fs, process } from './builtin.js';

export const nodeFiles: Files = {
  read: (file) => fs.readFileSync(file),
  nameOf: (file) => {
    const path = typeof file === 'string' ? file : process.getBuiltinModule('node:url').fileURLToPath(file);
    return process.getBuiltinModule('node:path').basename(path);
  },
  sha256: (bytes) => process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest('hex'),
};
