import { open } from 'node:fs/promises';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';

const fatBootSectorBytes = 512;
/** BS_VolID and BPB_BkBootSec (Microsoft FAT specification 1.03, section 3). */
const fat32VolumeIdAt = 67;
const fat16VolumeIdAt = 39;
const fat32BackupSectorAt = 50;

/**
 * Gives an unmounted file system another UUID: ext2/3/4, xfs, swap, or a FAT volume serial (`1234-ABCD`). FAT is
 * written directly, because `mlabel -N` drops the label.
 * @throws ProvisionError `tool_missing`, `tool_failed`; `invariant` for a type that `planIdentifiers` never renews.
 */
export async function setFilesystemUuid(
  target: { device: string; fsType: string; fsUuid: string },
  options: { signal: AbortSignal },
): Promise<void> {
  const { device, fsType, fsUuid } = target;
  switch (fsType) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      await setExtUuid(device, fsUuid, options.signal);
      return;
    case 'xfs':
      await runCommand('xfs_admin', ['-U', fsUuid, device], options);
      return;
    case 'swap':
      await runCommand('swaplabel', ['-U', fsUuid, device], options);
      return;
    case 'vfat':
      await setFatSerial(device, fsUuid);
      return;
    default:
      throw new ProvisionError('invariant', `nobody knows how to set the UUID of a ${fsType} filesystem`, {
        facts: { device },
      });
  }
}

/** With metadata checksums tune2fs wants a file system that was checked after its last mount. */
async function setExtUuid(device: string, uuid: string, signal: AbortSignal): Promise<void> {
  await runCommand('e2fsck', ['-f', '-p', device], { signal, okExitCodes: [0, 1] });
  await runCommand('tune2fs', ['-U', uuid, device], { signal });
}

async function setFatSerial(device: string, uuid: string): Promise<void> {
  const serial = Number.parseInt(uuid.replace('-', ''), 16);
  await using handle = await open(device, 'r+');
  // Block devices are written in whole sectors of at most 4096 bytes.
  const boot = Buffer.alloc(fatBootSectorBytes);
  await handle.read(boot, 0, fatBootSectorBytes, 0);
  const isFat32 = boot.toString('latin1', 82, 87) === 'FAT32';
  const isFat16 = boot.toString('latin1', 54, 57) === 'FAT';
  if (boot.readUInt16LE(510) !== 0xaa55 || (!isFat32 && !isFat16)) {
    throw new ProvisionError('device_io', `${device} holds no FAT filesystem`, { facts: { device } });
  }
  const sectors = [0];
  if (isFat32) sectors.push(boot.readUInt16LE(fat32BackupSectorAt));
  for (const sector of sectors.filter((sector) => sector !== 0xffff)) {
    const id = Buffer.alloc(4);
    id.writeUInt32LE(serial);
    const at = sector * boot.readUInt16LE(11) + (isFat32 ? fat32VolumeIdAt : fat16VolumeIdAt);
    await handle.write(id, 0, 4, at);
  }
  await handle.sync();
}
