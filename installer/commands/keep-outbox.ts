import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { partitionRange } from '../../agent/disk/geometry.ts';
import { detectGpt } from '../../agent/disk/gpt.ts';
import { openTarget } from '../../agent/disk/open-target.ts';
import { probeFilesystem } from '../../agent/disk/probe-filesystem.ts';
import { registerPartitions } from '../../agent/disk/register-partitions.ts';
import { bootFileText } from '../../agent/link/boot-file-text.ts';
import type { Outbox } from '../../agent/link/outbox.ts';
import { flushFilesystem } from '../../agent/provision/steps/flush-filesystem.ts';
import { mountRoot } from '../../agent/provision/steps/mount-root.ts';
import { headBytes } from '../../agent/provision/steps/probe-layer.ts';
import { agentPaths } from '../../agent/rootfs/plan-injection.ts';
import { RootFiles } from '../../agent/rootfs/root-files.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';

export interface KeepOutboxOptions {
  readonly outbox: Outbox;
  /** The disk that was installed, and the number of its root partition. */
  readonly disk: string;
  readonly rootNumber: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const folder = `${agentPaths.state}/outbox`;

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
  writeFiles(new RootFiles(mounted.path), outbox);
  const fd = openSync(join(mounted.path), 'r');
  try {
    await flushFilesystem(fd, rootDevice);
  } finally {
    closeSync(fd);
  }
}

function writeFiles(files: RootFiles, outbox: Outbox): void {
  files.makeDir(folder, 0o700);
  let number = 0;
  for (const { bootId, ...live } of outbox.kept()) {
    number += 1;
    files.write(`${folder}/${String(number).padStart(8, '0')}.ndjson`, bootFileText(bootId, live), 0o600);
  }
}
