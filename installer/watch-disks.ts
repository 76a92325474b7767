import type { DiskFacts } from '../agent/disk/types.ts';
import { markInstallerMedia } from '../agent/hardware/installer-media.ts';
import { isEligible } from '../agent/hardware/list-disks.ts';
import { sleep } from '../core/base/abort.ts';
import type { DiskReport, InstallerEvent } from './state/installer-events.ts';

export interface WatchDisksOptions {
  readonly listDisks: () => Promise<readonly DiskFacts[]>;
  readonly emit: (event: InstallerEvent) => void;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
}

/** Shows the machine's disks, anew whenever one comes, goes or changes; until the signal is aborted. */
export async function watchDisks(options: WatchDisksOptions): Promise<never> {
  const { listDisks, emit, signal } = options;
  let shown = '';
  for (;;) {
    const listed = (await listDisks()).filter(({ kind }) => kind !== 'cdrom');
    const disks = (await markInstallerMedia(listed, { signal })).map(reportOf);
    const text = JSON.stringify(disks);
    if (text !== shown) emit({ kind: 'disks', disks });
    shown = text;
    await sleep(options.pollMs ?? 3000, signal);
  }
}

function reportOf(disk: DiskFacts): DiskReport {
  const { path, sizeBytes, model, serial } = disk;
  return { path, sizeBytes, model, serial, refusal: isEligible(disk) };
}
