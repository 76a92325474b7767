/** A magic number of a filesystem, volume manager or RAID format, and where it may lie on a device. */
export interface Signature {
  /** As blkid(8) names it. */
  readonly name: string;
  readonly magic: Buffer;
  /** Offsets of the magic on a device of this size, in bytes. */
  readonly offsets: (sizeBytes: number) => readonly number[];
  /** A disk with it may belong to other machines as well, and is refused. */
  readonly isShared?: boolean;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const gibibyte = 1024 * mebibyte;

const at =
  (...offsets: readonly number[]) =>
  (): readonly number[] =>
    offsets;

const text = (magic: string): Buffer => Buffer.from(magic, 'latin1');
const hex = (magic: string): Buffer => Buffer.from(magic, 'hex');

/** Linux md 0.90: the last 64 KiB block but one, aligned (md.h, MD_NEW_SIZE_SECTORS). */
const md090 = (sizeBytes: number): readonly number[] => [Math.floor(sizeBytes / 65536) * 65536 - 65536];
/** Linux md 1.0: 8 KiB before the end, aligned to 4 KiB (md_p.h). */
const md10 = (sizeBytes: number): readonly number[] => [(Math.floor(sizeBytes / 512 - 16) & ~7) * 512];

/** Four labels of 256 KiB: two at the start, two at the end; the uberblocks are their second half (ZFS on-disk format). */
function zfsUberblocks(sizeBytes: number): readonly number[] {
  const aligned = Math.floor(sizeBytes / (256 * kibibyte)) * 256 * kibibyte;
  const labels = [0, 256 * kibibyte, aligned - 512 * kibibyte, aligned - 256 * kibibyte];
  return labels.flatMap((label) =>
    Array.from({ length: 128 }, (_, index) => label + 128 * kibibyte + index * kibibyte),
  );
}

/**
 * What is looked for. Places and magics as in libblkid's superblock probers (util-linux), which is what systemd, LVM
 * activation and `wipefs` go by.
 */
export const signatures: readonly Signature[] = [
  { name: 'LVM2_member', magic: text('LABELONE'), offsets: at(0, 512, 1024, 1536) },
  { name: 'linux_raid_member 0.90', magic: hex('fc4e2ba9'), offsets: md090 },
  { name: 'linux_raid_member 1.0', magic: hex('fc4e2ba9'), offsets: (size) => md10(size) },
  { name: 'linux_raid_member 1.1', magic: hex('fc4e2ba9'), offsets: at(0) },
  { name: 'linux_raid_member 1.2', magic: hex('fc4e2ba9'), offsets: at(4096) },
  { name: 'ddf_raid_member', magic: hex('de11de11'), offsets: (size) => [size - 512, size - 4096, size - 257 * 512] },
  {
    name: 'isw_raid_member',
    magic: text('Intel Raid ISM Cfg Sig. '),
    offsets: (size) => [size - 1024, size - 2 * 4096],
  },
  { name: 'zfs_member', magic: hex('0cb1ba0000000000'), offsets: zfsUberblocks },
  { name: 'zfs_member', magic: hex('0000000000bab10c'), offsets: zfsUberblocks },
  { name: 'crypto_LUKS', magic: hex('4c554b53babe'), offsets: at(0) },
  {
    name: 'crypto_LUKS backup',
    magic: hex('534b554cbabe'),
    offsets: at(...[16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map((kib) => kib * kibibyte)),
  },
  { name: 'bcache', magic: hex('c68573f64e1a45ca8265f57f48ba6d81'), offsets: at(4096 + 24) },
  { name: 'bcachefs', magic: hex('c68573f666ce90a9d96a60cf803df7ef'), offsets: at(4096 + 24) },
  { name: 'ceph_bluestore', magic: text('bluestore block device'), offsets: at(0) },
  { name: 'stratis', magic: hex('215374726130746973'), offsets: at(516, 4612) },
  { name: 'ext', magic: hex('53ef'), offsets: at(kibibyte + 56) },
  { name: 'xfs', magic: text('XFSB'), offsets: at(0) },
  { name: 'btrfs', magic: text('_BHRfS_M'), offsets: at(64 * kibibyte + 64) },
  { name: 'btrfs mirror', magic: text('_BHRfS_M'), offsets: at(64 * mebibyte + 64, 256 * gibibyte + 64) },
  { name: 'f2fs', magic: hex('1020f5f2'), offsets: at(kibibyte) },
  { name: 'squashfs', magic: text('hsqs'), offsets: at(0) },
  { name: 'swap', magic: text('SWAPSPACE2'), offsets: at(...[4096, 8192, 16384, 65536].map((page) => page - 10)) },
  { name: 'vfat', magic: text('FAT32   '), offsets: at(82) },
  { name: 'vfat', magic: text('FAT16   '), offsets: at(54) },
  { name: 'vfat', magic: text('FAT12   '), offsets: at(54) },
  { name: 'ntfs', magic: text('NTFS    '), offsets: at(3) },
  { name: 'exfat', magic: text('EXFAT   '), offsets: at(3) },
  { name: 'iso9660', magic: text('CD001'), offsets: at(32 * kibibyte + 1) },
  { name: 'reiserfs', magic: text('ReIsEr'), offsets: at(64 * kibibyte + 52) },
  { name: 'jfs', magic: text('JFS1'), offsets: at(32 * kibibyte) },
  { name: 'VMFS', magic: hex('5ef1ab2f'), offsets: at(2 * mebibyte), isShared: true },
  { name: 'VMFS volume member', magic: hex('0dd001c0'), offsets: at(mebibyte), isShared: true },
  // Type 1 (superblock) follows the magic; GFS and GFS2 share both (gfs2_ondisk.h).
  { name: 'GFS2', magic: hex('0116197000000001'), offsets: at(64 * kibibyte), isShared: true },
  {
    name: 'OCFS2',
    magic: text('OCFSV2'),
    offsets: at(...[1, 2, 4, 8].map((kib) => kib * kibibyte)),
    isShared: true,
  },
  // The NSD descriptor in sector 2 is text: "NSD descriptor for /dev/… created by GPFS …".
  { name: 'GPFS', magic: text('NSD descriptor'), offsets: at(1024, 8192), isShared: true },
];

/** GPT partition types of shared-disk filesystems. */
export const sharedPartitionTypes: Readonly<Record<string, string>> = {
  'aa31e02a-400f-11db-9590-000c2911d1b8': 'VMFS',
  '37affc90-ef7d-4e96-91c3-2d7ae055b174': 'GPFS',
};
