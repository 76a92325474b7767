import type { RootFiles } from './root-files.ts';
import type { PartitionIdentity } from './types.ts';

/** A line of an fstab (fstab(5)). */
export interface MountLine {
  /** As it stands there: `UUID=…`, `/dev/vda2`, `tmpfs`. */
  readonly source: string;
  /** Without a `/` at its end; the root is the empty string. */
  readonly point: string;
  readonly options: readonly string[];
}

/** The lines of the root filesystem's `/etc/fstab`; none when there is no such file. */
export function readMountTable(files: RootFiles): MountLine[] {
  return (files.readText('/etc/fstab') ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/))
    .map(([source = '', point = '', , options = '']) => ({
      source: unescapeOctal(source),
      point: unescapeOctal(point).replace(/\/+$/, ''),
      options: options.split(','),
    }));
}

/**
 * The mount point of the image's fstab (fstab(5)) that will cover `path` at the next boot and is not mounted now, or
 * null. What is written below it would be there, but nobody would see it.
 */
export function coveringMount(files: RootFiles, path: string): string | null {
  const points = readMountTable(files)
    .filter(({ options }) => !options.includes('noauto'))
    .map(({ point }) => point);
  const rootDevice = files.lstat('/')?.dev;
  const covering = points.filter((point) => point.startsWith('/') && `${path}/`.startsWith(`${point}/`));
  const hidden = covering.filter((point) => !files.isDirectory(point) || files.lstat(point)?.dev === rootDevice);
  return hidden.sort((a, b) => b.length - a.length)[0] ?? null;
}

/**
 * The partition that an fstab's source means, by UUID, LABEL, PARTUUID or PARTLABEL, or a link of udev's to one. Null
 * for every other source, such as `/dev/sda2`, and for a label that two of the partitions carry.
 */
export function partitionOfSource(source: string, partitions: readonly PartitionIdentity[]): PartitionIdentity | null {
  const named = /^(UUID|LABEL|PARTUUID|PARTLABEL)=(["']?)(.*)\2$/.exec(source);
  const linked = /^\/dev\/disk\/by-(uuid|label|partuuid|partlabel)\/(.*)$/.exec(source);
  const tag = named?.[1] ?? linked?.[1]?.toUpperCase();
  const value = named?.[3] ?? (linked?.[2] === undefined ? undefined : unescapeHex(linked[2]));
  if (tag === undefined || value === undefined || value === '') return null;
  const found = partitions.filter((partition) => isNamed(partition, tag, value));
  return found.length === 1 ? (found[0] ?? null) : null;
}

function isNamed(partition: PartitionIdentity, tag: string, value: string): boolean {
  if (tag === 'LABEL') return partition.fsLabel === value;
  if (tag === 'PARTLABEL') return partition.partLabel === value;
  const uuid = tag === 'UUID' ? partition.fsUuid : partition.partUuid;
  return uuid?.toLowerCase() === value.toLowerCase();
}

/** `\040` for a space, as getmntent(3) reads it. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** `\x20` for a space, as udev names its links. */
function unescapeHex(text: string): string {
  return text.replace(/\\x([0-9a-f]{2})/gi, (_match, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}
