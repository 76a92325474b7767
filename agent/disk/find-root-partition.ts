import { ProvisionError } from '../../core/base/errors.ts';
import type { FilesystemFacts } from './probe-filesystem.ts';
import type { Gpt, GptPartition } from './types.ts';

/** Says what a partition holds; null where nothing is recognised, or nothing can be known yet. */
export type ProbePartition = (partition: GptPartition) => Promise<FilesystemFacts | null>;

export interface RootPartition {
  readonly partition: GptPartition;
  /** Null where the probe could not tell. */
  readonly filesystem: FilesystemFacts | null;
  /** Which rule found it. */
  readonly rule: 'type' | 'name' | 'label' | 'only-filesystem';
}

export interface FindRootOptions {
  /** As OCI names it; default `amd64`. */
  readonly architecture?: string;
}

/** "Linux root" (Discoverable Partitions Specification) by OCI architecture. */
const rootTypes: Readonly<Record<string, string>> = {
  amd64: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  arm64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
  386: '44479540-f297-41b2-9af7-d131d5f0458a',
  riscv64: '72ec70a6-cf74-40e6-bd49-4bda08e8f224',
};

/** Types that say outright that a partition is something else: ESP, BIOS boot, /boot, swap, /home, /srv, /var, /usr. */
const otherPurposes = new Set([
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  '21686148-6449-6e6f-744e-656564454649',
  'bc13c2ff-59e6-4262-a352-b275fd6f7172',
  '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
  '933ac7e1-2eb4-4f13-b844-0e14e2aef915',
  '3b8f8425-20e0-4f3b-907f-1a25a76f98e8',
  '4d21b016-b534-45c2-a9fb-5c16e091fd2d',
  '8484680c-9521-48c6-9c11-b0720656f69e',
]);

const rootNames = new Set(['root', 'rootfs']);
const rootLabels = new Set(['root', 'rootfs', 'cloudimg-rootfs']);
const rootFilesystems = new Set(['ext2', 'ext3', 'ext4', 'xfs']);

/**
 * The image's root partition, by the first of these rules that any partition satisfies (provisioning.md, Image): GPT
 * type "Linux root" of the architecture; partition name; filesystem label; the only ext4 or xfs partition.
 * @throws ProvisionError `root_partition_ambiguous` (listing the candidates), `root_partition_missing` (listing all),
 * `root_filesystem_unsupported` for a root on LVM, LUKS, md, ZFS, btrfs or anything else but ext and xfs.
 */
export async function findRootPartition(
  gpt: Gpt,
  probe: ProbePartition,
  options: FindRootOptions = {},
): Promise<RootPartition> {
  const filesystems = new Map<number, FilesystemFacts | null>();
  for (const partition of gpt.partitions) filesystems.set(partition.number, await probe(partition));
  const holds = (partition: GptPartition): FilesystemFacts | null => filesystems.get(partition.number) ?? null;
  const possible = gpt.partitions.filter((partition) => !otherPurposes.has(partition.typeGuid));
  const rules: readonly (readonly [RootPartition['rule'], (partition: GptPartition) => boolean])[] = [
    ['type', (partition) => partition.typeGuid === rootTypes[options.architecture ?? 'amd64']],
    ['name', (partition) => rootNames.has(partition.name.toLowerCase())],
    ['label', (partition) => rootLabels.has(holds(partition)?.label ?? '')],
    ['only-filesystem', (partition) => ['ext4', 'xfs'].includes(holds(partition)?.type ?? '')],
  ];
  for (const [rule, matches] of rules) {
    const found = possible.filter(matches);
    const [partition] = found;
    if (partition === undefined) continue;
    if (found.length > 1) throw ambiguous(rule, found, holds);
    const filesystem = holds(partition);
    if (filesystem !== null && !rootFilesystems.has(filesystem.type)) throw unsupported(partition, filesystem);
    return { partition, filesystem, rule };
  }
  throw missing(gpt, holds);
}

type Holds = (partition: GptPartition) => FilesystemFacts | null;

function describe(partition: GptPartition, holds: Holds): string {
  const filesystem = holds(partition);
  const contents = filesystem === null ? 'no known filesystem' : filesystem.type;
  const label = filesystem?.label ? ` labelled "${filesystem.label}"` : '';
  return `partition ${partition.number}${partition.name === '' ? '' : ` "${partition.name}"`} (${contents}${label})`;
}

function ambiguous(rule: RootPartition['rule'], found: readonly GptPartition[], holds: Holds): ProvisionError {
  const by = { type: 'their type', name: 'their name', label: 'their label', 'only-filesystem': 'their filesystem' }[
    rule
  ];
  const list = found.map((partition) => describe(partition, holds));
  return new ProvisionError('root_partition_ambiguous', `by ${by}, either could be the root: ${list.join(' and ')}`, {
    facts: { rule, candidates: list },
  });
}

function missing(gpt: Gpt, holds: Holds): ProvisionError {
  const list = gpt.partitions.map((partition) => describe(partition, holds));
  const has = list.length === 0 ? 'it has no partition at all' : `it has ${list.join(', ')}`;
  return new ProvisionError('root_partition_missing', `no partition of the image can be its root: ${has}`, {
    facts: { partitions: list },
  });
}

function unsupported(partition: GptPartition, filesystem: FilesystemFacts): ProvisionError {
  const names: Readonly<Record<string, string>> = {
    LVM2_member: 'LVM',
    crypto_LUKS: 'LUKS',
    linux_raid_member: 'an md array',
    zfs_member: 'ZFS',
  };
  const on = names[filesystem.type] ?? filesystem.type;
  return new ProvisionError('root_filesystem_unsupported', `the root, partition ${partition.number}, is on ${on}`, {
    facts: { partition: partition.number, filesystem: filesystem.type },
  });
}
