import { partitionRange } from '../../agent/disk/geometry.ts';
import { detectGpt } from '../../agent/disk/gpt.ts';
import { openTarget } from '../../agent/disk/open-target.ts';
import { probeFilesystem } from '../../agent/disk/probe-filesystem.ts';
import { registerPartitions } from '../../agent/disk/register-partitions.ts';
import type { Outbox } from '../../agent/link/outbox.ts';
import { mountRoot } from '../../agent/provision/steps/mount-root.ts';
import { headBytes } from '../../agent/provision/steps/probe-layer.ts';
import { RootFiles } from '../../agent/rootfs/root-files.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import { writeOutboxFiles } from './write-outbox-files.ts';

export interface KeepOutboxOptions {
  readonly outbox: Outbox;
  /** The disk that was installed, and the number of its root partition. */
  readonly disk: string;
  readonly rootNumber: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Hands what the server has not acknowledged to the installed system, whose agent sends it (protocol.md, "Agent socket"):
 * the root, complete and committed by then, is mounted once more. The journal of its file system keeps it bootable
 * whatever happens meanwhile.
 * @throws ProvisionError of disk, mount and root file system.
 */
export async function keepOutbox(options: KeepOutboxOptions): Promise<void> {
  const { outbox, disk, rootNumber, log, signal } = options;
  const context = { log, signal };
  await using target = await openTarget(disk, context);
  const gpt = detectGpt(await target.read(0, Math.min(headBytes, target.sizeBytes)));
  const root = gpt.partitions.find(({ number }) => number === rootNumber);
  if (root === undefined) throw new ProvisionError('invariant', `${disk} has no partition ${rootNumber} any more`);
  const range = partitionRange(gpt, root);
  const facts = await probeFilesystem(
    (offsetBytes, lengthBytes) => target.read(range.offsetBytes + offsetBytes, lengthBytes),
    range.lengthBytes,
  );
  const rootDevice = (await registerPartitions(target, gpt, context)).get(rootNumber);
  if (rootDevice === undefined || facts === null) {
    throw new ProvisionError('invariant', `the root file system on ${disk} is not found again`);
  }
  await using mounted = await mountRoot({ rootDevice, rootType: facts.type, boot: null, ...context });
  writeOutboxFiles(new RootFiles(mounted.path), outbox);
  await mounted.flush();
}
