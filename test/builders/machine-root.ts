import { closeSync, mkdirSync, openSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { loadNative } from '../../agent/native/load-native.ts';
import { flockOperations } from '../../agent/native/native.ts';
import { errnoOf } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { recipeRootfs } from '../../images/build/recipe-rootfs.ts';
import { type Resources, waitFor } from '../resources.ts';

/** The least that install.sh is for: Debian with systemd, and what it downloads with. */
const packages = ['systemd-sysv', 'curl', 'wget', 'ca-certificates'];

/** A result of a program in a machine's root; what it ends with is for the test to judge. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/**
 * The root file system of a Debian 12 machine, unpacked into a folder of the test; kept packed in the cache by what it is
 * made from (25 s to make).
 */
export async function unpackMachineRoot(resources: Resources): Promise<string> {
  const folder = resources.tempDir('durantic-root-');
  await runCommand('tar', ['--zstd', '-xf', await cachedRoot(), '-C', folder]);
  return folder;
}

/** The packed root, `.tar.zst`. Test files run side by side: the first one makes it, with the folder of packages for itself. */
export async function cachedRoot(): Promise<string> {
  const cacheFolder = join(homedir(), '.cache', 'durantic', 'machine-root');
  mkdirSync(cacheFolder, { recursive: true });
  const lock = openSync(join(cacheFolder, 'lock'), 'a');
  try {
    await waitFor('the other test file to have made its root', () => tryLock(lock), { timeoutMs: 300_000 });
    const recipe = { suite: 'bookworm', packages };
    const { signal } = new AbortController();
    return (await recipeRootfs({ recipe, cacheFolder, refresh: false, onProgress: () => undefined, signal })).file;
  } finally {
    closeSync(lock);
  }
}

function tryLock(fd: number): boolean {
  try {
    loadNative().flock(fd, flockOperations.exclusive | flockOperations.nonBlocking);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return false;
    throw error;
  }
}

/** A machine of its own over an unpacked root that stays as it is; /proc is mounted, the network is the caller's. */
export class MachineRoot {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async mount(resources: Resources, lower: string): Promise<MachineRoot> {
    const folder = resources.tempDir('durantic-machine-');
    const [upper, work, path] = ['upper', 'work', 'root'].map((name) => join(folder, name)) as [string, string, string];
    for (const each of [upper, work, path]) mkdirSync(each);
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await mount(resources, ['-t', 'overlay', '-o', options, 'overlay', path]);
    await mount(resources, ['-t', 'proc', 'proc', join(path, 'proc')]);
    return new MachineRoot(path);
  }

  /** Mounts something else on a folder of the machine until the test ends. */
  async mount(resources: Resources, point: string, args: readonly string[]): Promise<void> {
    await mount(resources, [...args, join(this.path, point)]);
  }

  /** Runs a line of bash in it, as root, with nothing of this process's environment. */
  async run(line: string, options: RunOptions = {}): Promise<Outcome> {
    return await runLine(['chroot', this.path], line, options);
  }

  /** Every file with what install.sh could change of it; folders without their times. */
  async snapshot(): Promise<string[]> {
    const format = [
      '-not',
      '-type',
      'd',
      '-printf',
      '%p %y %m %U %G %s %T@ %l\\n',
      '-o',
      '-printf',
      '%p %y %m %U %G\\n',
    ];
    const { stdout } = await runCommand('find', ['.', '-xdev', ...format], { cwd: this.path });
    return stdout.split('\n').sort();
  }
}

/** Runs a line of bash by way of `prefix`, a program that enters a machine. */
export async function runLine(prefix: readonly string[], line: string, options: RunOptions = {}): Promise<Outcome> {
  const [program = '', ...args] = prefix;
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    TERM: 'dumb',
    ...options.env,
  };
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return await runCommand(program, [...args, '/usr/bin/env', '-i', ...words, '/bin/bash', '-c', line], {
    okExitCodes: Array.from({ length: 256 }, (_, code) => code),
    input: options.input ?? '',
    timeoutMs: options.timeoutMs ?? 120_000,
  });
}

async function mount(resources: Resources, args: readonly string[]): Promise<void> {
  const point = args.at(-1) ?? '';
  await runCommand('mount', args);
  resources.defer(`umount ${point}`, async () => {
    await runCommand('umount', [point]);
  });
}
