import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import type { DiskFacts, PartitionFacts } from '../disk/types.ts';
import { kindOf, readIdentity } from './disk-identity.ts';
import { partitionNames, readUsers } from './disk-users.ts';
import { blockFolder, kernelName, readAttribute, readNumber, realRoots, type SystemRoots } from './sysfs.ts';

/** sysfs counts sizes and starts in units of 512 bytes, whatever the logical sector is. */
const sysfsUnitBytes = 512;

/**
 * Everything about a block device that decides whether it may be written, and that identifies it, from sysfs and
 * procfs alone: neither udev nor device links are needed.
 * @param path Device node, link to one, or `/dev/NAME` of a device without a node.
 * @throws ProvisionError `target_not_found` when the kernel knows no such block device.
 */
export async function readDisk(path: string, roots: Partial<SystemRoots> = {}): Promise<DiskFacts> {
  const all = { ...realRoots, ...roots };
  const name = await kernelName(path, all);
  if (name === null) {
    throw new ProvisionError('target_not_found', `there is no block device ${path}`, { facts: { path } });
  }
  const folder = blockFolder(all, name);
  const partNames = await partitionNames(name, all);
  return {
    path: `/dev/${name.replaceAll('!', '/')}`,
    name,
    devno: (await readAttribute(join(folder, 'dev'))) ?? '',
    sizeBytes: (await readNumber(join(folder, 'size'), 0)) * sysfsUnitBytes,
    sectorBytes: await readNumber(join(folder, 'queue/logical_block_size'), 512),
    readOnly: (await readAttribute(join(folder, 'ro'))) === '1',
    removable: (await readAttribute(join(folder, 'removable'))) === '1',
    kind: await kindOf(name, all),
    ...(await readIdentity(name, all)),
    partitions: await Promise.all(partNames.map((partName) => readPartition(partName, all))),
    users: await readUsers(name, partNames, all),
  };
}

async function readPartition(name: string, roots: SystemRoots): Promise<PartitionFacts> {
  const folder = blockFolder(roots, name);
  return {
    name,
    number: await readNumber(join(folder, 'partition'), 0),
    startBytes: (await readNumber(join(folder, 'start'), 0)) * sysfsUnitBytes,
    sizeBytes: (await readNumber(join(folder, 'size'), 0)) * sysfsUnitBytes,
  };
}
