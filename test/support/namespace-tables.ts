// What dlmopen() does to one file, as glibc's tests for RTLD_SHARED (shared1 to 6) and DF_GNU_1_UNIQUE (unique1 to 6) have it:
//
//   before | target | flags -> after | handle | libc          before | target | flags -> EEXIST
//
// before, after: the namespaces that have the file. 0 the base, X the other one; Xp where that has a proxy, + where it is new, - for none.
// target: the namespace to open it in, + a new one. flags: S shared, ISOLATE isolate. handle: of which namespace, and whether of a proxy.
// libc: the namespace whose instance of a unique package the module behind the handle has imported.
//
// The rows of a table run one after the other in one process. Some only bring about what the next one starts from, as upstream.

export type TableName = `${'shared' | 'unique'}${1 | 2 | 3 | 4 | 5 | 6}`;

const TABLES: Readonly<Record<TableName, readonly string[]>> = {
  shared1: [
    '-    | 0 | -       -> +0     | 0  | 0',
    '0    | 0 | -       -> 0      | 0  | 0',
    '0    | 0 | S       -> 0      | 0  | 0',
    '0    | + | -       -> 0,+X   | X  | 0',
    '0,X  | 0 | -       -> 0,X    | 0  | 0',
    '0,X  | 0 | S       -> 0,X    | 0  | 0',
  ],
  shared2: [
    '-    | 0 | S       -> +0     | 0  | 0',
    '0    | + | S       -> 0,+Xp  | Xp | 0',
    '0,Xp | 0 | -       -> 0,Xp   | 0  | 0',
    '0,Xp | 0 | S       -> 0,Xp   | 0  | 0',
    '0,Xp | X | -       -> 0,Xp   | Xp | 0',
    '0,Xp | X | S       -> 0,Xp   | Xp | 0',
  ],
  shared3: [
    '-    | + | -       -> +X     | X  | 0',
    'X    | 0 | -       -> +0,X   | 0  | 0',
    '0,X  | X | -       -> 0,X    | X  | 0',
    '0,X  | X | S       -> EEXIST',
  ],
  shared4: ['-    | + | S       -> +0,+Xp | Xp | 0'],
  shared5: [
    '-    | + | -       -> +X     | X  | 0', // to start from
    'X    | 0 | S       -> +0,X   | 0  | 0',
  ],
  shared6: [
    // Upstream's comment has a handle in 0 here, its code one in X.
    '-    | + | -       -> +X     | X  | 0',
    'X    | X | -       -> X      | X  | 0',
    'X    | X | S       -> EEXIST',
  ],
  unique1: [
    '-    | 0 | -       -> +0     | 0  | 0',
    '0    | 0 | -       -> 0      | 0  | 0',
    '0    | 0 | S       -> 0      | 0  | 0',
    '0    | + | -       -> 0,+Xp  | Xp | 0',
    '0,Xp | 0 | -       -> 0,Xp   | 0  | 0',
    '0,Xp | 0 | S       -> 0,Xp   | 0  | 0',
    '0,Xp | X | -       -> 0,Xp   | Xp | 0',
    '0,Xp | X | S       -> 0,Xp   | Xp | 0',
  ],
  unique2: [
    '-    | 0 | S       -> +0     | 0  | 0', //
    '0    | + | S       -> 0,+Xp  | Xp | 0',
  ],
  unique3: ['-    | + | -       -> +0,+Xp | Xp | 0'],
  unique4: ['-    | + | S       -> +0,+Xp | Xp | 0'],
  unique5: [
    '-    | + | ISOLATE -> +X     | X  | X',
    'X    | 0 | -       -> +0,X   | 0  | 0',
    '0,X  | 0 | -       -> 0,X    | 0  | 0',
    '0,X  | 0 | S       -> 0,X    | 0  | 0',
    '0,X  | X | -       -> EEXIST', // only in upstream's comment
    '0,X  | X | S       -> EEXIST', // its code
  ],
  unique6: [
    '-    | + | ISOLATE -> +X     | X  | X',
    'X    | X | -       -> EEXIST',
    'X    | X | S       -> EEXIST',
    'X    | 0 | -       -> +0,X   | 0  | 0',
    '0,X  | X | -       -> EEXIST', // upstream's code
    '0,X  | X | S       -> EEXIST', // only in its comment
  ],
};

/** A cell with the namespaces that have a file. */
export interface Presence {
  readonly in: '0' | 'X';
  readonly proxy: boolean;
  readonly added: boolean;
}

export interface TableRow {
  readonly text: string;
  readonly before: readonly Presence[];
  readonly target: '0' | 'X' | '+';
  readonly shared: boolean;
  readonly isolate: boolean;
  /** undefined: COEXIST_EEXIST, and nothing has changed. */
  readonly result:
    | { readonly after: readonly Presence[]; readonly handle: Presence; readonly libc: '0' | 'X' }
    | undefined;
}

function presence(cell: string): Presence {
  const [, plus, place, proxy] = /^(\+?)([0X])(p?)$/.exec(cell) ?? [];
  if (place === undefined) throw new Error(`not a namespace: ${cell}`);
  return { in: place as '0' | 'X', proxy: proxy === 'p', added: plus === '+' };
}

const presences = (cell: string): Presence[] => (cell === '-' ? [] : cell.split(',').map(presence));

function rowOf(text: string): TableRow {
  const [from = '', to = ''] = text.split('->').map((half) => half.trim());
  const [before = '', target = '', flags = ''] = from.split('|').map((cell) => cell.trim());
  const [after = '', handle = '', libc = ''] = to.split('|').map((cell) => cell.trim());
  if (!['0', 'X', '+'].includes(target)) throw new Error(`${text}: no target`);
  if (!['-', 'S', 'ISOLATE'].includes(flags)) throw new Error(`${text}: no flags`);
  if (to !== 'EEXIST' && libc !== '0' && libc !== 'X') throw new Error(`${text}: no libc`);
  return {
    text: text.replace(/ +/g, ' '),
    before: presences(before),
    target: target as TableRow['target'],
    shared: flags === 'S',
    isolate: flags === 'ISOLATE',
    result:
      to === 'EEXIST' ? undefined : { after: presences(after), handle: presence(handle), libc: libc as '0' | 'X' },
  };
}

export const tables: ReadonlyMap<TableName, readonly TableRow[]> = new Map(
  Object.entries(TABLES).map(([name, rows]) => [name as TableName, rows.map(rowOf)]),
);
