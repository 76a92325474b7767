import { ProvisionError } from '../../core/base/errors.ts';
import type { LayerDescriptor } from '../../core/oci/types.ts';
import { readDisk } from '../hardware/read-disk.ts';
import { LayerProof } from './layer-proof.ts';
import type { GrownTable, Target } from './types.ts';

/** What validating the boot path found (agent/boot): how the disk can be started, and by which files. */
export interface BootPathEvidence {
  readonly firmware: readonly ('bios' | 'uefi')[];
  /** Files and sectors that were looked at, for the log. */
  readonly checked: readonly string[];
}

export interface InstallEvidence {
  readonly target: Target;
  readonly table: GrownTable;
  /** Every layer of the image, from the verified manifest. */
  readonly layers: readonly LayerDescriptor[];
  /** One for each layer. */
  readonly proofs: readonly LayerProof[];
  readonly bootPath: BootPathEvidence;
}

const key = Symbol('VerifiedInstall');
let make: (target: Target, table: GrownTable) => VerifiedInstall;

/**
 * That everything which has to be true before a disk may become bootable is true (provisioning.md, invariant 1). Only
 * `verifyInstall` makes one, for one target and one table; `commitTable` needs it. The constructor refuses everybody
 * else, and a look-alike does not pass `permits`.
 */
export class VerifiedInstall {
  readonly #target: Target;
  readonly #table: GrownTable;

  private constructor(permit: symbol, target: Target, table: GrownTable) {
    if (permit !== key) throw new ProvisionError('invariant', 'a VerifiedInstall is made by verifyInstall only');
    this.#target = target;
    this.#table = table;
  }

  static permits(proof: VerifiedInstall, target: Target, table: GrownTable): boolean {
    if (typeof proof !== 'object' || proof === null || !(#target in proof)) return false;
    return proof.#target === target && proof.#table === table;
  }

  static {
    make = (target, table) => new VerifiedInstall(key, target, table);
  }
}

/**
 * The verification step, last before the commit: every layer has its proof, the boot path was validated, nothing of the
 * disk is mounted or otherwise in use (looked up here, not believed), and all that was written is on the medium.
 * @throws ProvisionError `invariant` when a proof is missing or forged, `boot_path_invalid` without a boot path,
 * `disk_busy` while something is mounted, and what the flush throws.
 */
export async function verifyInstall(evidence: InstallEvidence): Promise<VerifiedInstall> {
  const { target, table, layers, proofs, bootPath } = evidence;
  if (layers.length === 0) throw new ProvisionError('invariant', 'an image without layers cannot have been installed');
  for (const layer of layers) {
    if (proofs.some((proof) => LayerProof.isGenuine(proof) && proof.isOf(layer))) continue;
    throw new ProvisionError('invariant', `layer ${layer.index} (${layer.digest}) was not verified`, {
      facts: { layer: layer.index, digest: layer.digest },
    });
  }
  if (bootPath.firmware.length === 0 || bootPath.checked.length === 0) {
    throw new ProvisionError('boot_path_invalid', 'nothing was found on the disk that a firmware could start');
  }
  const { users } = await readDisk(target.path);
  if (users.length > 0) {
    const said = users.map((user) => `${user.device} is ${user.detail}`);
    throw new ProvisionError('disk_busy', `${target.path} is still in use before the commit: ${said.join('; ')}`, {
      facts: { device: target.path, users: said },
    });
  }
  await target.flush();
  return make(target, table);
}
