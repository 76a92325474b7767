import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DiskPlan, planDisk } from './disk-plan.ts';
import { encodeGpt } from './encode-gpt.ts';
import { makeBiosCore, makeEfiCore } from './grub-core.ts';
import { makeEsp } from './make-esp.ts';
import { makeRoot } from './make-root.ts';

export interface MakeDiskOptions {
  /** Where to write; replaced when it exists. */
  readonly file: string;
  readonly sectorBytes: 512 | 4096;
  readonly espBytes?: number;
  readonly rootBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * Makes layer 0: a sparse raw disk with a GPT, GRUB for BIOS (512-byte sectors only) and UEFI, and an ext4 root that
 * is empty but for GRUB's modules. Needs no root, loop device, chroot or mount; the same tools give the same bytes.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `image_build_failed`.
 */
export async function makeDisk(options: MakeDiskOptions): Promise<DiskPlan> {
  const signal = options.signal ?? new AbortController().signal;
  const plan = planDisk(options);
  const workDir = await mkdtemp(join(tmpdir(), 'durantic-disk-'));
  try {
    const loader = await makeEfiCore(workDir, signal);
    await using file = await open(options.file, 'w');
    await file.truncate(plan.diskBytes);
    await makeRoot({ file: options.file, plan, workDir }, signal);
    await makeEsp({ file: options.file, plan, loader, workDir }, signal);
    const { head, tail, tailOffsetBytes } = encodeGpt(plan);
    if (plan.biosBoot !== null) {
      const { firstLba, lastLba } = plan.biosBoot;
      const capacityBytes = (lastLba - firstLba + 1) * plan.sectorBytes;
      const { bootCode, core } = await makeBiosCore(workDir, { firstLba, capacityBytes }, signal);
      bootCode.copy(head, 0);
      await file.write(core, 0, core.length, firstLba * plan.sectorBytes);
    }
    await file.write(tail, 0, tail.length, tailOffsetBytes);
    await file.write(head, 0, head.length, 0);
    await file.sync();
    return plan;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
