import { ProvisionError } from '../../core/base/errors.ts';
import { readOldTables } from './read-old-tables.ts';
import { scanSignatures } from './scan-signatures.ts';
import { sharedPartitionTypes } from './signatures.ts';
import type { DiskFacts, DiskUser, ReadBytes } from './types.ts';

export interface AssertUsableOptions {
  /** Reads the disk, to recognise shared-disk filesystems and the installer's own medium. */
  readonly read: ReadBytes;
  /** True after `stopUsers`: now nobody may use the disk any more. Default false: what can be stopped is let pass. */
  readonly mustBeIdle?: boolean;
  /** Path or serial number of the disk that this system was started from, where it is known. */
  readonly bootMedium?: string | null;
}

/** Volume names of the media that `installer/` makes begin with this. */
const ownMediumLabel = 'DURANTIC';

/**
 * Refuses a disk that must not or cannot be written: a partition, no size, read-only, in use by something that cannot
 * be stopped, the boot medium, or part of a shared-disk filesystem. Changes nothing.
 * @returns who uses the disk and has to be stopped first (`stopUsers`); empty when it is idle.
 * @throws ProvisionError `disk_not_eligible`, `disk_busy`, `disk_shared_filesystem`, each naming what was found.
 */
export async function assertUsable(disk: DiskFacts, options: AssertUsableOptions): Promise<readonly DiskUser[]> {
  refuseKind(disk);
  refuseUsers(disk, options.mustBeIdle === true);
  await refuseBootMedium(disk, options);
  await refuseShared(disk, options.read);
  return disk.users.filter((user) => user.canStop);
}

function refuseKind(disk: DiskFacts): void {
  const why = {
    partition: 'is a partition; give the whole disk',
    cdrom: 'is an optical drive',
    floppy: 'is a floppy drive',
    zram: 'is compressed memory (zram)',
    ram: 'is a RAM disk',
    md: 'is an md array; give one of its disks',
    dm: 'is a device-mapper device; give the disk below it',
  }[disk.kind as string];
  if (why !== undefined) throw notEligible(disk, why);
  if (disk.sizeBytes === 0) throw notEligible(disk, 'has size 0: there is no medium in it');
  if (disk.readOnly) throw notEligible(disk, 'is read-only');
  if (disk.sectorBytes !== 512 && disk.sectorBytes !== 4096) {
    throw notEligible(disk, `has logical sectors of ${disk.sectorBytes} bytes; 512 and 4096 are supported`);
  }
}

function refuseUsers(disk: DiskFacts, mustBeIdle: boolean): void {
  const blockers = disk.users.filter((user) => mustBeIdle || !user.canStop);
  if (blockers.length === 0) return;
  const said = blockers.map((user) => `${user.device} is ${user.detail}`);
  const stoppable = disk.users.filter((user) => user.canStop && !blockers.includes(user));
  const also = stoppable.length === 0 ? '' : ` (${stoppable.map((user) => user.device).join(', ')} could be stopped)`;
  throw new ProvisionError('disk_busy', `${disk.path} is in use: ${said.join('; ')}${also}`, {
    facts: { device: disk.path, users: said, could_be_stopped: stoppable.map((user) => user.device) },
  });
}

async function refuseBootMedium(disk: DiskFacts, options: AssertUsableOptions): Promise<void> {
  const named = options.bootMedium ?? null;
  if (named !== null && (named === disk.path || named === disk.serial || named === disk.name)) {
    throw notEligible(disk, 'is the disk that this system was started from');
  }
  if (disk.isInstallerMedium === true) throw notEligible(disk, 'is installation media (an installer ISO)');
  const volumeDescriptorBytes = 32 * 1024;
  if (disk.sizeBytes < volumeDescriptorBytes + 2048) return;
  const descriptor = await options.read(volumeDescriptorBytes, 2048);
  const label = descriptor.toString('latin1', 40, 72).trim();
  if (descriptor.toString('latin1', 1, 6) === 'CD001' && label.startsWith(ownMediumLabel)) {
    throw notEligible(disk, `is installation media (ISO 9660, "${label}")`);
  }
}

async function refuseShared(disk: DiskFacts, read: ReadBytes): Promise<void> {
  const { partitions } = await readOldTables(read, disk);
  const whole = { offsetBytes: 0, lengthBytes: disk.sizeBytes };
  const places = [
    { where: disk.path, range: whole, typeGuid: null },
    ...partitions.map((old) => ({
      where: `partition ${old.number} of ${disk.path}`,
      range: old,
      typeGuid: old.typeGuid,
    })),
  ];
  for (const { where, range, typeGuid } of places) {
    const byType = typeGuid === null ? undefined : sharedPartitionTypes[typeGuid];
    const byMagic = (await scanSignatures(read, range)).find((found) => found.isShared);
    const name = byType ?? byMagic?.name;
    if (name === undefined) continue;
    throw new ProvisionError(
      'disk_shared_filesystem',
      `${where} holds ${name}, a filesystem that other machines may be using at this moment`,
      { facts: { device: disk.path, filesystem: name, offset_bytes: byMagic?.range.offsetBytes ?? range.offsetBytes } },
    );
  }
}

function notEligible(disk: DiskFacts, why: string): ProvisionError {
  return new ProvisionError('disk_not_eligible', `${disk.path} ${why}`, { facts: { device: disk.path } });
}
