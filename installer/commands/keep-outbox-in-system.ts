import { open } from 'node:fs/promises';
import { machineIdentitySchema } from '../../agent/identity/read-identity.ts';
import type { Outbox } from '../../agent/link/outbox.ts';
import { mountRoot } from '../../agent/provision/steps/mount-root.ts';
import { agentPaths } from '../../agent/rootfs/plan-injection.ts';
import { RootFiles } from '../../agent/rootfs/root-files.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import { writeOutboxFiles } from './write-outbox-files.ts';

/** The root file system of an installed system. Its journal was replayed when its boot files were read. */
export interface RootPartition {
  readonly device: string;
  /** `ext4`, `xfs`, `btrfs` */
  readonly type: string;
}

export interface KeepOutboxInSystemOptions {
  readonly outbox: Outbox;
  readonly root: RootPartition;
  /** `x` of this machine's public key. */
  readonly publicKey: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Hands what the server has not acknowledged to a system that was installed before. Nothing of it is touched but the
 * outbox of its agent; a file system that is not in order is not written, and a state folder that is not this machine's
 * (another partition is mounted on it, or another subvolume is the root) gets none of its reports.
 * @throws ProvisionError `command_not_done` with the reason; of mount and root file system.
 */
export async function keepOutboxInSystem(options: KeepOutboxInSystemOptions): Promise<void> {
  const { outbox, root, publicKey, log, signal } = options;
  await assertInOrder(root);
  await using mounted = await mountRoot({ rootDevice: root.device, rootType: root.type, boot: null, log, signal });
  const files = new RootFiles(mounted.path);
  if (keyIn(files) !== publicKey) {
    throw unfit(`the root file system on ${root.device} does not hold the state of this machine's agent`);
  }
  writeOutboxFiles(files, outbox);
  await mounted.flush();
}

/** ext4's superblock (Documentation/filesystems/ext4, "The Super Block"): `s_state` and `s_feature_incompat`. */
const ext = { base: 1024, stateAt: 58, incompatAt: 96, clean: 1, hasErrors: 2, needsRecovery: 4 } as const;

async function assertInOrder({ device, type }: RootPartition): Promise<void> {
  if (!type.startsWith('ext')) return;
  const superblock = Buffer.alloc(1024);
  await using handle = await open(device, 'r');
  await handle.read(superblock, 0, superblock.length, ext.base);
  const state = superblock.readUInt16LE(ext.stateAt);
  const isClean = (state & ext.clean) !== 0 && (state & ext.hasErrors) === 0;
  if (isClean && (superblock.readUInt32LE(ext.incompatAt) & ext.needsRecovery) === 0) return;
  throw unfit(`the root file system on ${device} has errors or was not unmounted, and has to be checked first`);
}

function keyIn(files: RootFiles): string | null {
  try {
    const text = files.readText(`${agentPaths.state}/identity.json`);
    return text === null ? null : machineIdentitySchema.parse(JSON.parse(text)).public_key.x;
  } catch (error) {
    if (error instanceof ProvisionError) throw error;
    // Damaged: no identity. Why is not said, because the text may be a private key.
    return null;
  }
}

function unfit(message: string): ProvisionError {
  return new ProvisionError('command_not_done', message);
}
