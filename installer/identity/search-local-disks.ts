import type { DiskFacts } from '../../agent/disk/types.ts';
import { untilDisksSettle } from '../../agent/hardware/until-disks-settle.ts';
import { findLocalSystems, type LocalSystems } from './find-local-systems.ts';

export interface SearchLocalDisksOptions {
  readonly listDisks: () => Promise<readonly DiskFacts[]>;
  readonly signal: AbortSignal;
  /** How long no disk may have come; default 2 s. */
  readonly quietMs?: number;
}

const longestMs = 15_000;

/** Looks for the machine's own systems on its disks, once these are all there (as far as anyone can know). */
export async function searchLocalDisks(options: SearchLocalDisksOptions): Promise<LocalSystems> {
  const { listDisks, signal, quietMs = 2000 } = options;
  const list = async (): Promise<readonly DiskFacts[]> => (await listDisks()).filter(({ kind }) => kind !== 'cdrom');
  const disks = await untilDisksSettle({ list, quietMs, longestMs, signal });
  return await findLocalSystems({ disks, signal });
}
