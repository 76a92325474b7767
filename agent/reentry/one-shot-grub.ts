import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { GrubDisk } from '../boot/grub-disk.ts';
import { readGrubEntry } from '../boot/read-grub-entry.ts';
import { RootFiles } from '../rootfs/root-files.ts';
import type { PartitionIdentity } from '../rootfs/types.ts';
import { assertRoom } from './assert-room.ts';
import { copyVerified } from './copy-verified.ts';
import { overwriteStart, removeHalfReplaced, replaceFile, writeSecret } from './flushed-files.ts';
import {
  grubVariable,
  quoteForGrub,
  withGrubVariable,
  withInstallerEntry,
  withoutInstallerEntry,
} from './grub-environment.ts';
import { nothingPlaced, type OneShotContext, type OneShotFiles, type OneShotPlan, takingBack } from './one-shot.ts';
import {
  disksBelow,
  isPlainPartition,
  type MountedAt,
  mountOf,
  readSystemDisk,
  type SystemDisk,
} from './system-mounts.ts';

export interface GrubEsp {
  readonly identity: PartitionIdentity;
  /** Text of small files by their path, null for others. */
  readonly files: ReadonlyMap<string, string | null>;
}

/** Where GRUB lies on the running system. */
export interface GrubPlace {
  /** `/boot/grub` or `/boot/grub2`, on the host. */
  readonly dir: string;
  /** Null for the host's root; a folder in tests. */
  readonly root: string;
  readonly disk: SystemDisk;
  readonly rootNumber: number;
  readonly bootNumber: number | null;
  /** The EFI system partition, which may be on another disk; null: none. */
  readonly esp: GrubEsp | null;
  readonly platform: 'pc' | 'efi';
}

const entryId = 'durantic-installer';
const kernelName = 'durantic-vmlinuz';
const stateName = 'durantic-state.img';
const grubDirs = ['/boot/grub', '/boot/grub2'];
/** Where GRUB can change a file in place: not on btrfs or ZFS (GRUB manual, "The GRUB environment block"). */
const writableTypes = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'vfat']);

/**
 * Where GRUB's configuration is, and that GRUB can change its environment block there: else a one-time entry would be
 * started again and again.
 * @throws ProvisionError `installer_unreachable` with the reason; `tool_missing`, `tool_failed`.
 */
export async function findGrub(platform: 'pc' | 'efi', esp: GrubEsp | null, signal: AbortSignal): Promise<GrubPlace> {
  const dir = grubDirs.find((one) => existsSync(join(one, 'grub.cfg')));
  if (dir === undefined) throw refused('the system has no grub.cfg');
  const holder = await mountOf(dir, signal);
  await assertWritableByGrub(holder);
  const [path, ...others] = await disksBelow(holder.source);
  if (path === undefined || others.length > 0) throw refused(`${holder.source} lies on no disk, or on several`);
  const disk = await readSystemDisk(path, signal);
  const number = disk.partitions.find(({ device }) => device === holder.source)?.identity.number;
  if (number === undefined) throw refused(`${holder.source} is no partition of ${path}`);
  const isSeparate = holder.target === '/boot';
  return {
    ...{ dir, root: '/', disk, platform, esp },
    rootNumber: isSeparate ? 0 : number,
    bootNumber: isSeparate ? number : null,
  };
}

async function assertWritableByGrub({ source, type, target }: MountedAt): Promise<void> {
  if (!writableTypes.has(type)) throw refused(`${target} is ${type}, on which GRUB cannot take back a one-time entry`);
  if (target !== '/' && target !== '/boot') throw refused(`GRUB lies on ${target}, which is neither / nor /boot`);
  if (await isPlainPartition(source)) return;
  throw refused(`${target} is on ${source} (LVM, RAID or encryption), on which GRUB cannot take back a one-time entry`);
}

/**
 * Makes GRUB start the installer at the next start, and only then: a menu entry in custom.cfg, chosen by `next_entry`.
 * The whole is proved by running GRUB's own configuration over it; when that does not come to our entry, everything is
 * taken back.
 * @throws ProvisionError `installer_unreachable`, `space_insufficient`, `permission`.
 */
export async function prepareGrubOnce(
  place: GrubPlace,
  files: OneShotFiles,
  context: OneShotContext,
): Promise<OneShotPlan> {
  const dir = join(place.root, place.dir);
  const [kernel, state] = [join(dir, kernelName), join(dir, stateName)];
  for (const path of [kernel, state]) rmSync(path, { force: true });
  assertRoom(dir, files.installer.sizeBytes + files.initrd.length, 'the installer');
  context.note({ ...nothingPlaced, grubDir: dir });
  try {
    await writeSecret(state, files.initrd);
    await copyVerified(files.installer, kernel, context.signal);
    const custom = join(dir, 'custom.cfg');
    await replaceFile(custom, bytes(withInstallerEntry(readOr(custom) ?? '', menuEntry(files.commandLine))));
    await setNextEntry(join(dir, 'grubenv'), entryId);
    assertChosen(place, files.commandLine);
  } catch (error) {
    await takingBack(context.log, async () => await removeGrubOnce(dir));
    throw error;
  }
  return { said: `GRUB was told to start it once, from ${place.dir}` };
}

/** Takes away what `prepareGrubOnce` has made, the private state first. What is not there is no error. */
export async function removeGrubOnce(dir: string): Promise<void> {
  for (const name of [stateName, kernelName]) rmSync(join(dir, name), { force: true });
  const environment = join(dir, 'grubenv');
  const block = readOr(environment);
  if (block !== null && grubVariable(block, 'next_entry') === entryId) {
    await setNextEntry(environment, null);
  }
  const custom = join(dir, 'custom.cfg');
  for (const path of [environment, custom]) removeHalfReplaced(path);
  const text = readOr(custom);
  if (text === null) return;
  const rest = withoutInstallerEntry(text);
  if (rest === text) return;
  if (rest === '') rmSync(custom);
  else await replaceFile(custom, bytes(rest));
}

function menuEntry(commandLine: string): string {
  const words = commandLine.split(' ').map(quoteForGrub).join(' ');
  // $prefix is the folder that grub.cfg was read from, on the very disk that GRUB was started from: no search, which
  // could find a clone of this disk.
  // Unrestricted: where GRUB has a password (grub2-setpassword, hardened systems), it would ask for it and wait.
  return `menuentry 'Durantic installer' --unrestricted --id ${entryId} {
  linux $prefix/${kernelName} ${words}
  initrd $prefix/${stateName}
}
`;
}

/** Runs grub.cfg as GRUB will, and compares what it would start. */
function assertChosen(place: GrubPlace, commandLine: string): void {
  const files = new RootFiles(place.root);
  const { rootNumber, bootNumber, platform } = place;
  const { partitions, espNumber } = withEspPartition(place);
  const espFiles = place.esp?.files ?? new Map<string, string | null>();
  const grub = new GrubDisk({ files, partitions, rootNumber, bootNumber, espNumber, espFiles });
  const layout = { root: place.root, partitions, rootNumber, bootNumber, espNumber, espDevice: null };
  const entry = readGrubEntry({ layout, files, esp: null, grub, espPaths: [...espFiles.keys()] }, platform);
  if (entry?.isLocked === true) {
    throw refused(`GRUB asks for a user name and a password before it starts "${entry.title}"`);
  }
  const isOurs =
    entry?.kernel.path === `${place.dir}/${kernelName}` &&
    entry.initrds[0]?.path === `${place.dir}/${stateName}` &&
    entry.commandLine === commandLine;
  if (isOurs) return;
  throw refused(
    `${place.dir}/grub.cfg takes no one-time entry (it reads neither next_entry nor custom.cfg, or chooses "${entry?.title ?? 'nothing'}")`,
  );
}

/** The partitions that GRUB's `search` finds, and which of them is the EFI system partition. */
function withEspPartition({ disk, esp }: GrubPlace): { partitions: PartitionIdentity[]; espNumber: number | null } {
  const partitions = disk.partitions.map(({ identity }) => identity);
  if (esp === null) return { partitions, espNumber: null };
  const own = partitions.find(({ partUuid }) => partUuid !== '' && partUuid === esp.identity.partUuid);
  if (own !== undefined) return { partitions, espNumber: own.number };
  // On another disk: by a number that none of this one has.
  const espNumber = 1 + Math.max(...partitions.map(({ number }) => number));
  return { partitions: [...partitions, { ...esp.identity, number: espNumber }], espNumber };
}

async function setNextEntry(environment: string, value: string | null): Promise<void> {
  const block = readOr(environment);
  const text = bytes(withGrubVariable(block, 'next_entry', value));
  // GRUB writes into the blocks that it has found: a file that exists keeps them.
  if (block === null) await replaceFile(environment, text);
  else await overwriteStart(environment, text);
}

function bytes(latin1: string): Buffer {
  return Buffer.from(latin1, 'latin1');
}

function readOr(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return null;
    throw new ProvisionError('permission', `${path} cannot be read`, { cause, facts: { path } });
  }
}

function refused(message: string): ProvisionError {
  return new ProvisionError('installer_unreachable', message);
}
