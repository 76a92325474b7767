import { basename } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { exists } from '../hardware/sysfs.ts';
import { retryBusy } from './retry-busy.ts';
import type { DiskContext, SectorBytes } from './types.ts';

/** Attaches a file to a free loop device with this logical sector size, and gives the device's path. */
export async function attachLoop(file: string, sectorBytes: SectorBytes, ctx: DiskContext): Promise<string> {
  const args = ['--find', '--show', '--sector-size', String(sectorBytes), '--', file];
  const { stdout } = await runCommand('losetup', args, { signal: ctx.signal });
  return stdout.trim();
}

/**
 * Detaches a loop device and waits until it is gone: while anybody has it open, the kernel only promises to do so.
 * @throws ProvisionError `disk_busy` naming the holder, `tool_failed`.
 */
export async function detachLoop(device: string, ctx: Pick<DiskContext, 'log'>): Promise<void> {
  // Clean-up goes on when the work was aborted.
  const signal = new AbortController().signal;
  await runCommand('losetup', ['--detach', device]);
  const stillAttached = async (): Promise<void> => {
    if (!(await exists(`/sys/class/block/${basename(device)}/loop/backing_file`))) return;
    throw Object.assign(new Error('still attached'), { code: 'EBUSY' });
  };
  await retryBusy(stillAttached, { path: device, what: `detaching ${device}`, attempts: 8 }, { ...ctx, signal });
}
