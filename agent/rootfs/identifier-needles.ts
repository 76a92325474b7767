import type { PartitionIdentity } from './types.ts';

/** An identifier of the image in bytes that are searched, never edited. */
export interface EmbeddedIdentifier {
  readonly kind: 'fs_uuid' | 'part_uuid' | 'disk_guid' | 'label';
  readonly value: string;
  /** Number of the partition it names; null for the disk. */
  readonly partition: number | null;
}

/** Bytes to look for. */
export interface Needle {
  readonly identifier: EmbeddedIdentifier;
  readonly bytes: Buffer;
  /** ASCII letters match in either case. */
  readonly foldCase: boolean;
  /** The next byte must not continue a word: for names, which are short. */
  readonly wordEnds: boolean;
}

/**
 * Every form in which identifiers stand in loaders and initramfs archives: text in either case, systemd's unit names
 * (`\x2d` for `-`), UTF-16LE (EFI), GUIDs in the mixed-endian binary form of the UEFI specification (appendix A) and
 * UUIDs as 16 plain bytes. Labels only where they are used as one.
 */
export function identifierNeedles(partitions: readonly PartitionIdentity[], diskGuid: string): Needle[] {
  const needles = uuidNeedles({ kind: 'disk_guid', value: diskGuid, partition: null });
  for (const { number, partUuid, fsUuid, fsLabel, partLabel } of partitions) {
    needles.push(...uuidNeedles({ kind: 'part_uuid', value: partUuid, partition: number }));
    if (fsUuid !== null) needles.push(...uuidNeedles({ kind: 'fs_uuid', value: fsUuid, partition: number }));
    const label = { kind: 'label', partition: number } as const;
    if (fsLabel) needles.push(...labelNeedles({ ...label, value: fsLabel }, fsLabelUses));
    if (partLabel) needles.push(...labelNeedles({ ...label, value: partLabel }, partLabelUses));
  }
  return needles;
}

const fewestDistinctBytes = 4;
const fsLabelUses = ['root=LABEL=', '/by-label/', 'fs_label ', '--label '];
const partLabelUses = ['PARTLABEL=', '/by-partlabel/'];

function uuidNeedles(identifier: EmbeddedIdentifier): Needle[] {
  const text = identifier.value.toLowerCase();
  const needle = (bytes: Buffer, foldCase: boolean): Needle => ({ identifier, bytes, foldCase, wordEnds: false });
  const needles = [
    needle(Buffer.from(text), true),
    needle(Buffer.from(text.replaceAll('-', '\\x2d')), true),
    needle(Buffer.from(text, 'utf16le'), true),
  ];
  const hex = text.replaceAll('-', '');
  const plain = Buffer.from(hex, 'hex');
  // A GUID of zeros, as careless tools leave it, would be found in every padding.
  if (hex.length === 32 && new Set(plain).size >= fewestDistinctBytes) {
    needles.push(needle(plain, false), needle(mixedEndian(plain), false));
  }
  return needles;
}

function labelNeedles(identifier: EmbeddedIdentifier, uses: readonly string[]): Needle[] {
  return uses.map((use) => ({
    identifier,
    bytes: Buffer.from(use + identifier.value),
    foldCase: false,
    wordEnds: true,
  }));
}

/** The first three fields of a GUID are little-endian on disk. */
function mixedEndian(plain: Buffer): Buffer {
  const guid = Buffer.from(plain);
  guid.subarray(0, 4).reverse();
  guid.subarray(4, 6).reverse();
  guid.subarray(6, 8).reverse();
  return guid;
}
