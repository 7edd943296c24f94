// The directory of a thread's links, private to the user, in the directory for temporary files. Its name says whose it is: what is left of
// threads that are dead is swept by whoever makes the next one.
//
// `<prefix><scope>.<pid>.<thread identity>.<random>`, all but pid and random in hexadecimal. The scope is that of process numbers: this boot
// of the machine and this namespace of processes, beyond which a number says nothing.

import { fs, process } from './builtin.js';
import { identity, liveness, osThreadId } from './proc.js';

const path = process.getBuiltinModule('node:path');
const os = process.getBuiltinModule('node:os');

function scope(): string {
  try {
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const processes = /\d+/.exec(fs.readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
    return `${boot.slice(0, 8)}${Number(processes).toString(16)}`;
  } catch {
    return '0';
  }
}

/** @throws what the file system throws */
export function createRoot(prefix: string): string {
  const own = identity();
  const within = fs.realpathSync(os.tmpdir());
  const mine = `${prefix}${scope()}.`;
  sweep(within, mine, own);
  return fs.mkdtempSync(path.join(within, `${mine}${process.pid}.${own.toString(16)}.`));
}

/** Removes the directories of this user's dead threads. Never throws: what cannot be removed is the next one's. */
function sweep(within: string, mine: string, own: bigint): void {
  let names: string[];
  try {
    names = fs.readdirSync(within).filter((name) => name.startsWith(mine));
  } catch {
    return;
  }
  for (const name of names) {
    const [pid = '', id = ''] = name.slice(mine.length).split('.');
    if (!/^\d+$/.test(pid) || !/^[0-9a-f]+$/.test(id)) continue;
    try {
      const dir = path.join(within, name);
      const stat = fs.lstatSync(dir);
      if (stat.isDirectory() && stat.uid === process.getuid?.() && isDead(Number(pid), BigInt(`0x${id}`), own))
        removeRoot(dir);
    } catch {
      // Somebody else was faster, or it is not ours.
    }
  }
}

function isDead(pid: number, id: bigint, own: bigint): boolean {
  if (osThreadId(id) !== undefined) return liveness(id, own, pid) === 'dead';
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Links first, each by itself: nothing is ever followed. */
export function removeRoot(root: string): void {
  for (const name of fs.readdirSync(root)) fs.unlinkSync(path.join(root, name));
  fs.rmdirSync(root);
}

/** @throws what the file system throws */
export function link(root: string, label: string): void {
  const at = path.join(root, label);
  try {
    fs.symlinkSync('/', at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

export function unlink(root: string, label: string): void {
  fs.rmSync(path.join(root, label), { force: true });
}

/**
 * Calls back as this thread ends by itself: at process exit in the main thread, at its own in a worker. Returns a function that puts the
 * listener behind those that have come since.
 */
export function onExit(listener: () => void): () => void {
  process.once('exit', listener);
  return () => {
    process.off('exit', listener);
    process.once('exit', listener);
  };
}
