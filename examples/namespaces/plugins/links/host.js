// @ts-check

/** @param {string} link */
exports.hostOf = (link) => (URL.canParse(link) ? new URL(link).host : 'nowhere');
