// Runs the main job as a process of its own, bounded in time, over folders made for the test.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRandom } from '../../examples/job/random.js';

const RUN_MS = 60_000;
const main = fileURLToPath(new URL('../../examples/job/main.js', import.meta.url));

export interface JobRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the job to its end. `onLine` may send it a signal. */
export function runJob(args: string[], onLine: (line: string, kill: () => void) => void = () => {}): Promise<JobRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the job did not end within ${RUN_MS} ms:\n${stdout}${stderr}`));
    }, RUN_MS);
    let [stdout, stderr, line] = ['', '', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const lines = (line + text).split('\n');
      line = lines.pop() ?? '';
      for (const whole of lines) onLine(whole, () => child.kill('SIGINT'));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

/** A folder of files, removed by `remove`. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'coexist-job-'));

  write(name: string, content: string | Uint8Array): this {
    mkdirSync(dirname(join(this.path, name)), { recursive: true });
    writeFileSync(join(this.path, name), content);
    return this;
  }

  /** Half noise, half zeros: neither nothing nor everything to compress. */
  fill(count: number, most: number, seed: number): this {
    const random = createRandom(seed);
    for (let k = 0; k < count; k++) {
      const content = new Uint8Array(random(most));
      for (let at = 0; at < content.length; at += 2) content[at] = random(256);
      this.write(`folder ${k % 5}/file ${k}`, content);
    }
    return this;
  }

  /** A file that reads as zeros and takes no room. */
  sparse(name: string, bytes: number): this {
    this.write(name, '');
    truncateSync(join(this.path, name), bytes);
    return this;
  }

  link(name: string, target: string): this {
    symlinkSync(target, join(this.path, name));
    return this;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
