// A plugin that cannot be loaded, behind what it has loaded.
// @ts-check

const { linesOf } = require('../lib/text.js');

linesOf({ path: 'nothing', bytes: 0, text: 'read by a plugin that never was' });
throw new Error('this plugin needs another host');
