// JSON that has a name twice in one object: parsers take the last one or the first one, so that two readers of one declaration could
// differ about what it says (I-JSON, RFC 7493, forbids it).

/** The first such name, in a text that has been parsed without an error. */
export function repeatedName(json: string): string | undefined {
  /** The names so far of the objects that this place is in, undefined for arrays. */
  const around: (Set<string> | undefined)[] = [];
  let text = '';
  for (let at = 0; at < json.length; at++) {
    const unit = json[at];
    if (unit === '"') {
      const start = at++;
      while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
      text = json.slice(start, at + 1);
    } else if (unit === '{') around.push(new Set());
    else if (unit === '[') around.push(undefined);
    else if (unit === '}' || unit === ']') around.pop();
    else if (unit === ':') {
      const name = JSON.parse(text) as string;
      const names = around.at(-1);
      if (names?.has(name)) return name;
      names?.add(name);
    }
  }
  return undefined;
}
