// coexist/preload: attaches in the main thread before the program runs. node --import coexist/preload app.js

import { preload } from './core.js';

preload();
