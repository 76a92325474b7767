import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Waits for an exclusive flock(2) on the file and holds it until disposed. util-linux's flock holds it with its standard
 * input open, so that it also ends when this process is killed.
 * @param onWait called when another run holds it.
 */
export async function holdLock(file: string, onWait: () => void = () => undefined): Promise<AsyncDisposable> {
  mkdirSync(dirname(file), { recursive: true });
  const child = spawn('flock', ['--exclusive', file, 'sh', '-c', 'echo; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const waiting = setTimeout(onWait, 1000);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`flock ${file} ended with ${code}`)));
      child.stdout.once('data', () => resolve());
    });
  } finally {
    clearTimeout(waiting);
  }
  return {
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
