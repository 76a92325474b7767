import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { ProvisionError } from '../../core/base/errors.ts';
import { type BundleFile, type BundleManifest, glibcFloor } from '../../protocol/bundle-manifest.ts';
import { elfMachineName, elfMachineX64, parseElf } from './elf-facts.ts';
import { coveringMount } from './mount-table.ts';
import type { RootFiles } from './root-files.ts';

/** Where the agent lies on an installed system (provisioning.md, "Agent injection"). */
export const agentPaths = {
  bundle: '/usr/local/lib/durantic',
  link: '/usr/local/bin/durantic',
  config: '/etc/durantic/agent.yaml',
  state: '/var/lib/durantic',
  unit: '/etc/systemd/system/durantic-agent.service',
  wants: '/etc/systemd/system/multi-user.target.wants/durantic-agent.service',
} as const;

export interface InjectionPlan {
  readonly glibcVersion: string;
  /** Fallback libraries that the system lacks: copied beside the program, where its run path finds them. */
  readonly layDown: readonly BundleFile[];
}

const loader = '/lib64/ld-linux-x86-64.so.2';
const libraryDirs = [
  '/lib/x86_64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu',
  '/lib64',
  '/usr/lib64',
  '/usr/lib',
  '/lib',
  '/usr/local/lib',
];
const elfHeadBytes = 65536;

/**
 * Decides whether the agent can run in a root filesystem, from its files alone (failure row F65): architecture, C
 * library and its version, the libraries Node needs, systemd, and whether what is written will be seen.
 * @throws ProvisionError `injection_impossible` with the reason.
 */
export function planInjection(files: RootFiles, manifest: BundleManifest): InjectionPlan {
  assertArchitecture(files);
  const glibcVersion = readGlibcVersion(files);
  const needed = [glibcFloor, ...manifest.files.filter(({ role }) => role !== 'fallback').map(({ glibc }) => glibc)];
  const floor = needed.sort(compareVersions).at(-1) ?? glibcFloor;
  if (compareVersions(glibcVersion, floor) < 0) {
    throw impossible(`the image has glibc ${glibcVersion}, the agent needs ${floor} or later`, { glibc: glibcVersion });
  }
  assertSystemd(files);
  assertVisible(files);
  return { glibcVersion, layDown: missingLibraries(files, manifest, glibcVersion) };
}

function assertArchitecture(files: RootFiles): void {
  const programs = ['/bin/sh', '/usr/bin/env', '/sbin/init', '/bin/busybox', loader];
  const program = programs.find((path) => readElf(files, path) !== null);
  const elf = program === undefined ? null : readElf(files, program);
  if (program === undefined || elf === null) {
    throw impossible('the image has no program (/bin/sh, /sbin/init) to tell its architecture from', {});
  }
  if (elf.machine !== elfMachineX64 || elf.bits !== 64) {
    throw impossible(`the image is for ${elfMachineName(elf.machine)} (${program}), the agent is for x86-64`, {
      architecture: elfMachineName(elf.machine),
    });
  }
  const usesMusl = elf.interpreter?.includes('ld-musl') === true || files.isFile('/lib/ld-musl-x86_64.so.1');
  if (usesMusl && !files.isFile(loader)) {
    throw impossible('the image is built on musl, the agent needs glibc', { libc: 'musl' });
  }
  if (!files.isFile(loader)) throw impossible(`the image has no ${loader}: it has no glibc where programs look`, {});
}

/** `stable release version 2.36` in libc.so.6, else the highest version of its symbols. */
function readGlibcVersion(files: RootFiles): string {
  const library = libraryDirs.map((dir) => `${dir}/libc.so.6`).find((path) => isX64Library(files, path));
  if (library === undefined) throw impossible('the image has no libc.so.6 for x86-64', {});
  const text = readFileSync(files.hostPath(library, { followLast: true }), 'latin1');
  const stated = /release version (\d+\.\d+)/.exec(text)?.[1];
  if (stated !== undefined) return stated;
  const symbols = [...text.matchAll(/GLIBC_(2\.\d+)\0/g)].map((match) => match[1] ?? '2.0');
  const highest = symbols.sort(compareVersions).at(-1);
  if (highest === undefined) throw impossible(`${library} of the image tells no version`, { library });
  return highest;
}

function assertSystemd(files: RootFiles): void {
  if (!['/usr/lib/systemd/systemd', '/lib/systemd/systemd'].some((path) => files.isFile(path))) {
    throw impossible('the image has no systemd, which starts the agent', {});
  }
  const init = ['/sbin/init', '/usr/sbin/init'].find((path) => files.isFile(path));
  const program = init === undefined ? null : files.hostPath(init, { followLast: true });
  if (!program?.endsWith('/systemd/systemd')) {
    throw impossible(`${init ?? '/sbin/init'} of the image does not start systemd, which starts the agent`, {});
  }
}

function assertVisible(files: RootFiles): void {
  for (const dir of ['/ostree/deploy', '/sysroot/ostree/deploy']) {
    if (files.list(dir).length > 0) {
      throw impossible(`the image is an OSTree deployment (${dir}): the system sees nothing written beside it`, {});
    }
  }
  for (const path of [agentPaths.bundle, agentPaths.state, '/etc/systemd/system']) {
    const mount = coveringMount(files, path);
    if (mount !== null) {
      throw impossible(`the image mounts another filesystem on ${mount}, which will hide ${path}`, { mount });
    }
  }
}

function missingLibraries(files: RootFiles, manifest: BundleManifest, glibcVersion: string): BundleFile[] {
  const dirs = [...libraryDirs, ...configuredDirs(files)];
  return manifest.files
    .filter(({ role }) => role === 'fallback')
    .filter(({ path }) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      return !dirs.some((dir) => isX64Library(files, `${dir}/${name}`));
    })
    .map((file) => {
      if (compareVersions(glibcVersion, file.glibc) >= 0) return file;
      const name = file.path.slice(file.path.lastIndexOf('/') + 1);
      throw impossible(
        `the image lacks ${name}, and the agent's own copy needs glibc ${file.glibc} where the image has ${glibcVersion}`,
        { library: name, glibc: glibcVersion },
      );
    });
}

/** Folders that the image's ld.so.conf adds (ldconfig(8)). */
function configuredDirs(files: RootFiles): string[] {
  const configs = ['/etc/ld.so.conf', ...files.list('/etc/ld.so.conf.d').map((name) => `/etc/ld.so.conf.d/${name}`)];
  return configs
    .flatMap((path) => (files.readText(path) ?? '').split('\n'))
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line.startsWith('/'));
}

function isX64Library(files: RootFiles, path: string): boolean {
  const elf = readElf(files, path);
  return elf !== null && elf.machine === elfMachineX64 && elf.bits === 64;
}

function readElf(files: RootFiles, path: string): ReturnType<typeof parseElf> {
  if (!files.isFile(path)) return null;
  const fd = openSync(files.hostPath(path, { followLast: true }), 'r');
  try {
    const head = Buffer.alloc(elfHeadBytes);
    return parseElf(head.subarray(0, readSync(fd, head, 0, elfHeadBytes, 0)));
  } finally {
    closeSync(fd);
  }
}

/** Compares `2.4` with `2.28` as numbers, part by part. */
function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split('.').map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split('.').map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

export function impossible(message: string, facts: Record<string, string>): ProvisionError {
  return new ProvisionError('injection_impossible', message, { facts });
}
