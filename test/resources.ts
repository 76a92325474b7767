import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../core/base/run-command.ts';

/**
 * Owns everything a test makes, and takes it down in reverse order when the test ends, also after a failure:
 * `await using resources = new Resources();`. A failing clean-up fails the test.
 */
export class Resources implements AsyncDisposable {
  readonly #undo: { name: string; run: () => Promise<void> | void }[] = [];

  /** Registers something to be undone. */
  defer(name: string, run: () => Promise<void> | void): void {
    this.#undo.push({ name, run });
  }

  tempDir(prefix = 'durantic-test-'): string {
    const dir = mkdtempSync(join(tmpdir(), prefix));
    this.defer(`rm ${dir}`, () => rmSync(dir, { recursive: true, force: true }));
    return dir;
  }

  /** A sparse file of the given size in a folder of its own. */
  sparseFile(sizeBytes: number, name = 'disk.raw'): string {
    const file = join(this.tempDir(), name);
    writeFileSync(file, '');
    truncateSync(file, sizeBytes);
    return file;
  }

  /** Attaches the file to a free loop device, e.g. `/dev/loop3`. */
  async loop(file: string, options: { sectorBytes?: 512 | 4096; readOnly?: boolean } = {}): Promise<string> {
    const args = ['--find', '--show', '--sector-size', String(options.sectorBytes ?? 512)];
    if (options.readOnly) args.push('--read-only');
    const device = (await runCommand('losetup', [...args, file])).stdout.trim();
    this.defer(`losetup -d ${device}`, async () => {
      await runCommand('partx', ['-d', device], { okExitCodes: [0, 1] });
      await runCommand('losetup', ['-d', device]);
    });
    return device;
  }

  /** Mounts on a new folder and gives its path; unmounted at the end. */
  async mount(device: string, options: { type?: string; options?: string } = {}): Promise<string> {
    const dir = mkdtempSync(join(tmpdir(), 'durantic-mnt-'));
    this.defer(`rmdir ${dir}`, () => rmdirSync(dir));
    const args = options.type === undefined ? [] : ['-t', options.type];
    if (options.options !== undefined) args.push('-o', options.options);
    await runCommand('mount', [...args, device, dir]);
    this.defer(`umount ${dir}`, async () => {
      await runCommand('umount', [dir], { okExitCodes: isMountPoint(dir) ? [0] : [0, 32] });
    });
    return dir;
  }

  /** Starts a process that is ended (SIGTERM, then SIGKILL after 5 s) with the test. */
  spawn(file: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn(file, args, { stdio: 'ignore', ...options });
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    this.defer(`end ${file}`, async () => {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(timer);
    });
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: Error[] = [];
    for (const { name, run } of this.#undo.splice(0).reverse()) {
      try {
        await run();
      } catch (error) {
        failures.push(new Error(`clean-up failed: ${name}`, { cause: error }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map((failure) => failure.message).join('; '));
  }
}

/** A TCP port that is free on 127.0.0.1 at the time of asking. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Polls `condition` until it gives something truthy; throws after the deadline, naming what was waited for. */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  options: { timeoutMs: number; intervalMs?: number } = { timeoutMs: 10_000 },
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${options.timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, options.intervalMs ?? 50));
  }
}

function isMountPoint(dir: string): boolean {
  try {
    return statSync(dir).dev !== statSync(join(dir, '..')).dev;
  } catch {
    return false;
  }
}
