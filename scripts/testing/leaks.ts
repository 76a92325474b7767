import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from '../../core/base/run-command.ts';

/** Environment variable that marks every process that a run of tests starts. */
export const runMarker = 'DURANTIC_TEST_RUN';

export interface Leak {
  readonly what: string;
  /** Takes it away. */
  readonly remove: () => Promise<unknown> | unknown;
}

/**
 * What tests left behind. Only what belongs to this run counts: processes that carry its id in their environment,
 * mounts, loop devices and folders inside its temporary folder, network namespaces with its id in their name.
 * The order is that in which they can be taken away. A process that was told to end gets `stragglersMs` for it.
 */
export async function findLeaks(runId: string, tempDir: string, stragglersMs = 3000): Promise<Leak[]> {
  const deadline = Date.now() + stragglersMs;
  while (ownProcesses(runId).length > 0 && Date.now() < deadline) await delay(100);
  return [
    ...ownProcesses(runId),
    ...ownMounts(tempDir),
    ...(await ownLoops(tempDir)),
    ...ownNamespaces(runId),
    ...ownFiles(tempDir),
  ];
}

/** How the names of all network namespaces begin that a run of tests makes. */
export function namespacePrefix(runId: string): string {
  return `durantic-run-${runId}-`;
}

function ownProcesses(runId: string): Leak[] {
  const mark = `${runMarker}=${runId}`;
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark)) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim().slice(0, 120);
      return [{ what: `process ${pid}: ${command}`, remove: () => process.kill(Number(pid), 'SIGKILL') }];
    } catch {
      // It ended while we looked.
      return [];
    }
  });
}

/** Innermost first: later lines of mountinfo lie on earlier ones (proc(5)). */
function ownMounts(tempDir: string): Leak[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${tempDir}/`));
  return points
    .reverse()
    .map((point) => ({ what: `mount ${point}`, remove: () => runCommand('umount', ['-l', point]) }));
}

async function ownLoops(tempDir: string): Promise<Leak[]> {
  const { stdout } = await runCommand('losetup', ['--list', '--noheadings', '--raw', '--output', 'NAME,BACK-FILE']);
  return stdout.split('\n').flatMap((line) => {
    const [name, ...file] = line.split(' ');
    if (name === undefined || !file.join(' ').startsWith(`${tempDir}/`)) return [];
    return [{ what: `loop device ${line}`, remove: () => runCommand('losetup', ['-d', name]) }];
  });
}

function ownNamespaces(runId: string): Leak[] {
  return networkNamespaces()
    .filter((name) => name.startsWith(namespacePrefix(runId)))
    .map((name) => ({ what: `network namespace ${name}`, remove: () => runCommand('ip', ['netns', 'delete', name]) }));
}

/** Those that exist now (ip-netns(8)). */
function networkNamespaces(): string[] {
  try {
    return readdirSync('/run/netns');
  } catch {
    return [];
  }
}

/** `durantic-UID` is where the binary keeps its native parts; it stays on purpose. */
function ownFiles(tempDir: string): Leak[] {
  const kept = `durantic-${process.geteuid?.()}`;
  return readdirSync(tempDir)
    .filter((name) => name !== kept && !name.startsWith('node-compile-cache'))
    .map((name) => ({
      what: `${name} in the temporary folder`,
      remove: () => rmSync(join(tempDir, name), { recursive: true, force: true }),
    }));
}
