import { throwIfAborted } from '../../core/base/abort.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { native } from '../native/load-native.ts';
import { type DeviceAbilities, discardRange, readDeviceAbilities, zeroByDevice } from './device-abilities.ts';
import { forgetPartitions } from './forget-partitions.ts';
import { mebibyte, mergeRanges, rangeEnd } from './geometry.ts';
import { readOldTables } from './read-old-tables.ts';
import { scanSignatures } from './scan-signatures.ts';
import type { ByteRange, DiskContext, DiskFacts, EraseReport, OpenTarget, RemovedSignature } from './types.ts';

export interface EraseOptions extends DiskContext {
  /**
   * Size of the image that will be written. Where the device can make zeros quickly, so much of its start is made zero
   * for sure, and the image's own zeros need not be written there. Default 0.
   */
  readonly imageBytes?: number;
  /** What the device can do; default: what the kernel says. Injectable for tests. */
  readonly abilities?: DeviceAbilities;
}

/** What the commit will fill: zeroed and on the medium before anything else is written. */
const edgeBytes = mebibyte;
/** The grown root ends up to 1 MiB before the backup table: its tail lies within this, and so do all formats' tails. */
const wholeDiskZoneBytes = 4 * mebibyte;
const partitionZoneBytes = mebibyte;
const pageBytes = 4096;

interface Finding {
  readonly removed: readonly RemovedSignature[];
  /** The disk and every old partition: where signatures were looked for, and are looked for again. */
  readonly regions: readonly (ByteRange & { readonly where: string })[];
  /** Everything that has to read as zero afterwards. */
  readonly zones: readonly ByteRange[];
}

/**
 * Makes a disk empty: no table, no signature of earlier use, neither of the disk nor inside old partitions
 * (provisioning.md, invariants 1 and 8; failure row F32). The data in between is given back to the device where it
 * takes that (BLKDISCARD), and is otherwise left: this is no secure erase, and the report says exactly what was done.
 * The order keeps the disk unbootable from the first write on: the first and last MiB come first, are flushed, and are
 * not part of the discard, after which a device may answer with anything.
 * @throws ProvisionError of kind `device`, `disk_busy` when an old partition is in use.
 */
export async function eraseDisk(target: OpenTarget, disk: DiskFacts, options: EraseOptions): Promise<EraseReport> {
  const finding = await findOldData(target, disk);
  const edges = mergeRanges(
    [
      { offsetBytes: 0, lengthBytes: edgeBytes },
      { offsetBytes: target.sizeBytes - edgeBytes, lengthBytes: edgeBytes },
    ],
    target.sizeBytes,
  );
  await overwrite(target, edges, options);
  const forgottenPartitions = await forgetPartitions(target, { all: true, log: options.log });
  await overwrite(target, finding.zones, options);
  const abilities = options.abilities ?? (await readDeviceAbilities(disk.name));
  const inner = { offsetBytes: edgeBytes, lengthBytes: target.sizeBytes - 2 * edgeBytes };
  const discarded = abilities.canDiscard ? await discardRange(target, inner, options) : [];
  if (discarded.length > 0) await overwrite(target, finding.zones, options);
  const image = { offsetBytes: 0, lengthBytes: Math.min(options.imageBytes ?? 0, target.sizeBytes) };
  const zeroed = abilities.makesZeros ? await zeroByDevice(target, image, options) : [];
  await assertGone(target, finding);
  const done = { removed: finding.removed, overwritten: finding.zones, discarded, zeroed, forgottenPartitions };
  return { ...done, said: sentences(target, done) };
}

async function findOldData(target: OpenTarget, disk: DiskFacts): Promise<Finding> {
  const { partitions, tables } = await readOldTables(target.read, disk);
  const size = target.sizeBytes;
  const regions = [
    { where: 'whole disk', offsetBytes: 0, lengthBytes: size },
    ...partitions.map((old) => ({ ...old, where: `old partition ${old.number} (${old.table})` })),
  ];
  const removed: RemovedSignature[] = tables.map((table) => ({ ...table, where: 'whole disk' }));
  const zones: ByteRange[] = [
    { offsetBytes: 0, lengthBytes: wholeDiskZoneBytes },
    { offsetBytes: size - wholeDiskZoneBytes, lengthBytes: wholeDiskZoneBytes },
  ];
  for (const region of regions) {
    for (const found of await scanSignatures(target.read, region)) {
      removed.push({ name: found.name, offsetBytes: found.range.offsetBytes, where: region.where });
      const from = Math.floor(found.range.offsetBytes / pageBytes) * pageBytes;
      const to = Math.ceil(rangeEnd(found.range) / pageBytes) * pageBytes;
      zones.push({ offsetBytes: from, lengthBytes: to - from });
    }
  }
  for (const old of partitions) {
    const length = Math.min(partitionZoneBytes, old.lengthBytes);
    zones.push({ offsetBytes: old.offsetBytes, lengthBytes: length });
    zones.push({ offsetBytes: rangeEnd(old) - length, lengthBytes: length });
  }
  return { removed, regions, zones: mergeRanges(zones, size) };
}

async function overwrite(target: OpenTarget, ranges: readonly ByteRange[], options: EraseOptions): Promise<void> {
  const zeros = Buffer.alloc(mebibyte);
  for (const range of ranges) {
    for (let at = range.offsetBytes; at < rangeEnd(range); at += zeros.length) {
      throwIfAborted(options.signal);
      await target.write(zeros.subarray(0, Math.min(zeros.length, rangeEnd(range) - at)), at);
    }
  }
  await target.flush();
}

/** Reads from the device, past the page cache that was just written, that nothing is left to be recognised. */
async function assertGone(target: OpenTarget, finding: Finding): Promise<void> {
  await native.blkFlushBuffers(target.fd);
  for (const region of finding.regions) {
    const [left] = await scanSignatures(target.read, region);
    if (left === undefined) continue;
    throw new ProvisionError('device_io', `${target.path} still gives back ${left.name} after it was overwritten`, {
      facts: { device: target.path, signature: left.name, offset_bytes: left.range.offsetBytes, operation: 'erasing' },
    });
  }
}

function sentences(target: OpenTarget, done: Omit<EraseReport, 'said'>): string[] {
  const total = (ranges: readonly ByteRange[]): number => ranges.reduce((sum, range) => sum + range.lengthBytes, 0);
  const names = [...new Set(done.removed.map((removed) => removed.name))];
  const said = [
    `overwrote ${total(done.overwritten)} bytes of ${target.path} with zeros: both ends and both ends of every old partition`,
    names.length === 0
      ? 'found no trace of earlier use'
      : `removed ${done.removed.length} traces of earlier use: ${names.join(', ')}`,
  ];
  if (done.forgottenPartitions.length > 0) {
    said.push(`the kernel no longer knows partitions ${done.forgottenPartitions.join(', ')}`);
  }
  said.push(
    done.discarded.length === 0
      ? 'the device does not take discards: the data in between was left as it was, out of reach of any table'
      : `told the device to discard ${total(done.discarded)} bytes`,
  );
  if (done.zeroed.length > 0) said.push(`had the device make ${total(done.zeroed)} bytes zero`);
  return said;
}
