import { throwIfAborted } from '../../core/base/abort.ts';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { readDisk } from '../hardware/read-disk.ts';
import { native } from '../native/load-native.ts';
import { forgetPartitions } from './forget-partitions.ts';
import { registerPartitions } from './register-partitions.ts';
import { retryBusy } from './retry-busy.ts';
import type { DiskContext, GrownTable, OpenTarget } from './types.ts';
import { VerifiedInstall } from './verified-install.ts';

export interface CommitOptions extends DiskContext {
  /** What the verification step made for this very target and table. */
  readonly proof: VerifiedInstall;
  /** Register the partitions by BLKPG when the kernel does not find them by itself (for kexec, or to look at them). */
  readonly registerUnread?: boolean;
}

export interface CommitResult {
  /** True when the kernel read the new table by itself; a kernel without GPT support cannot. */
  readonly kernelReadTable: boolean;
  /** Device paths by partition number; empty when the kernel knows none and they were not asked for. */
  readonly partitions: ReadonlyMap<number, string>;
}

/**
 * Makes the disk bootable, as the last write of an installation (provisioning.md, invariant 1): backup table, primary
 * table from LBA 1, flush; then LBA 0 alone, which is the commit record, flush. Then the kernel re-reads the table, while
 * the flock on the disk keeps udev away.
 *
 * An abort is heeded before the first of these writes only. A failure before LBA 0 leaves a disk that nothing boots; one
 * after it leaves a complete system, and its `diskState` says so.
 * @throws ProvisionError `invariant` without the proof, kinds `device` and `environment` otherwise.
 */
export async function commitTable(
  target: OpenTarget,
  grown: GrownTable,
  options: CommitOptions,
): Promise<CommitResult> {
  if (!VerifiedInstall.permits(options.proof, target, grown)) {
    throw new ProvisionError('invariant', 'the commit was asked for without the proof that this disk is complete');
  }
  await target.flush();
  // Drops the disk's own cached pages: one at an edge may hold what a partition's page cache has since replaced.
  await native.blkFlushBuffers(target.fd);
  // The last moment to stop: what is begun from here on is finished.
  throwIfAborted(options.signal);
  await target.write(grown.tail, grown.tailOffsetBytes);
  await target.write(grown.head.subarray(target.sectorBytes), target.sectorBytes);
  await target.flush();
  await target.write(grown.head.subarray(0, target.sectorBytes), 0);
  await target.flush();
  try {
    return await readBack(target, grown, options);
  } catch (error) {
    if (error instanceof ProvisionError) error.diskState = 'complete';
    throw error;
  }
}

async function readBack(target: OpenTarget, grown: GrownTable, options: CommitOptions): Promise<CommitResult> {
  // Registered ones would answer EBUSY where the table says otherwise, and vanish where the kernel finds no table.
  await forgetPartitions(target, { all: true, log: options.log });
  const what = `re-reading the partition table of ${target.path}`;
  await retryBusy(() => reread(target, options), { path: target.path, what }, options);
  const known = (await readDisk(target.path)).partitions;
  const kernelReadTable = grown.gpt.partitions.every((partition) =>
    known.some(
      (other) => other.number === partition.number && other.startBytes === partition.firstLba * target.sectorBytes,
    ),
  );
  if (kernelReadTable) {
    const partitions = new Map(known.map((partition) => [partition.number, `/dev/${partition.name}`]));
    return { kernelReadTable, partitions };
  }
  options.log.info({ device: target.path }, 'the kernel does not find the partitions of the new table by itself');
  if (options.registerUnread !== true) return { kernelReadTable, partitions: new Map() };
  return { kernelReadTable, partitions: await registerPartitions(target, grown.gpt, options) };
}

/** BLKRRPART; EINVAL is the answer of a loop device that was attached without partition scanning. */
function reread(target: OpenTarget, ctx: DiskContext): void {
  try {
    native.blkRereadTable(target.fd);
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL' && errnoOf(error) !== 'ENOTTY') throw error;
    ctx.log.debug({ device: target.path }, 'the device does not scan for partitions');
  }
}
