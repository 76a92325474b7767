import { rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { probeFilesystem } from '../../agent/disk/probe-filesystem.ts';
import { readDevice } from '../../agent/hardware/read-device.ts';
import { type ProvisionRecord, provisionRecordSchema } from '../../agent/identity/provision-record.ts';
import { type MachineIdentity, machineIdentitySchema } from '../../agent/identity/read-identity.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { makeWorkFolder } from '../../core/base/work-folder.ts';

export interface FilesystemPlace {
  /** Partition or whole disk. */
  readonly device: string;
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
}

/** What durantic has left in a root file system. */
export interface FoundState {
  readonly identity: MachineIdentity | null;
  readonly record: ProvisionRecord | null;
  /** Sentences on files that could not be used. */
  readonly problems: readonly string[];
}

/**
 * Read-only, and no journal is replayed (ext4(5), xfs(5), btrfs(5)): what is not written to its place yet stays unread.
 * That alone keeps no driver from writing: ext4 deletes the files on its list of orphans all the same (fs/ext4/orphan.c
 * of Linux, `ext4_orphan_cleanup`). See `unwritable`.
 */
const mounts: Readonly<Record<string, readonly (readonly [type: string, options: string])[]>> = {
  // One driver for the three of them.
  ext2: [['ext4', 'ro,noload']],
  ext3: [['ext4', 'ro,noload']],
  ext4: [['ext4', 'ro,noload']],
  xfs: [['xfs', 'ro,norecovery,nouuid']],
  // The default subvolume, then the top level, below which Debian, Fedora and SUSE keep their roots.
  btrfs: [
    ['btrfs', 'ro,rescue=nologreplay'],
    ['btrfs', 'ro,rescue=nologreplay,subvolid=5'],
  ],
};
/**
 * A loop device in between, which mount(8) of util-linux attaches read-only because of `ro`: the block layer refuses each
 * write, whatever a driver wants, and ext4 does not even try. Only the device that is looked at is there for the driver,
 * too. The loop device goes with the mount, also when somebody else unmounts it (loop(4), autoclear).
 */
const unwritable = 'loop';
const safeOptions = 'nosuid,nodev,noexec';

/** Folders of the agent's state: in a root, in a `/var` of its own, and in roots that are subvolumes. */
const stateFolders = [
  'var/lib/durantic',
  'lib/durantic',
  ...['@', '@rootfs', 'root'].map((root) => `${root}/var/lib/durantic`),
  '@var/lib/durantic',
];
const largestFileBytes = 64 * 1024;
const stepTimeoutMs = 15_000;

/**
 * Looks for what durantic keeps in a file system, without writing to the device: mounted read-only, by a device that
 * cannot be written, without its journal.
 * Null where there is no file system that could hold it, or none of ours in it.
 * @throws ProvisionError `tool_failed` when it cannot be mounted; `aborted`.
 */
export async function lookIntoFilesystem(place: FilesystemPlace): Promise<FoundState | null> {
  const type = await filesystemType(place);
  for (const [driver, options] of mounts[type ?? ''] ?? []) {
    const found = await lookMounted(place, { driver, options });
    if (found !== null) return found;
  }
  return null;
}

async function filesystemType({ device, sizeBytes, signal }: FilesystemPlace): Promise<string | null> {
  let isSilent = false;
  const facts = await probeFilesystem(async (offsetBytes, lengthBytes) => {
    const bytes = isSilent ? null : await readDevice({ device, offsetBytes, lengthBytes, signal });
    isSilent ||= bytes === null;
    return bytes ?? Buffer.alloc(lengthBytes);
  }, sizeBytes);
  return facts?.type ?? null;
}

async function lookMounted(
  place: FilesystemPlace,
  { driver, options }: { readonly driver: string; readonly options: string },
): Promise<FoundState | null> {
  const { device, signal } = place;
  const folder = makeWorkFolder('look');
  try {
    const args = ['-t', driver, '-o', `${unwritable},${options},${safeOptions}`, device, folder];
    await runCommand('mount', args, { signal, timeoutMs: stepTimeoutMs });
    try {
      return await readState(folder, place);
    } finally {
      // Whatever was aborted: a mounted disk could not be installed on.
      await runCommand('umount', [folder], { timeoutMs: stepTimeoutMs });
    }
  } finally {
    rmdirSync(folder);
  }
}

async function readState(root: string, { device, signal }: FilesystemPlace): Promise<FoundState | null> {
  const problems: string[] = [];
  for (const folder of stateFolders) {
    const read = async <T>(name: string, schema: z.ZodType<T>): Promise<T | null> => {
      const text = await readInside(root, join(folder, name), signal);
      if (text === null) return null;
      const parsed = parseWith(schema, text);
      if (parsed === null) problems.push(`/${folder}/${name} on ${device} is damaged or not ours`);
      return parsed;
    };
    const identity = await read('identity.json', machineIdentitySchema);
    const record = await read('provision.json', provisionRecordSchema);
    if (identity !== null || record !== null || problems.length > 0) return { identity, record, problems };
  }
  return null;
}

/**
 * A file's text by programs that can be given up: a disk that stops answering must not stop this process. Null where
 * there is none, or a link leads out of the file system.
 */
async function readInside(root: string, path: string, signal: AbortSignal): Promise<string | null> {
  const bounded = { signal, timeoutMs: stepTimeoutMs };
  try {
    const { stdout } = await runCommand('realpath', [join(root, path)], bounded);
    const real = stdout.replace(/\n$/, '');
    if (!real.startsWith(`${root}/`)) return null;
    const { stdout: text } = await runCommand('head', ['-c', String(largestFileBytes), real], bounded);
    return text;
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}

/** Null for what is not as the schema says; why is not said, because the text may be a private key. */
function parseWith<T>(schema: z.ZodType<T>, text: string): T | null {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
