import { uptime } from 'node:os';
import type { DiskFacts } from '../../agent/disk/types.ts';
import { untilDisksSettle } from '../../agent/hardware/until-disks-settle.ts';
import { type FindLocalSystemsOptions, findLocalSystems, type LocalSystems } from './find-local-systems.ts';

export interface SearchLocalDisksOptions {
  readonly listDisks: () => Promise<readonly DiskFacts[]>;
  readonly signal: AbortSignal;
  /** How long no disk may have come; default 2 s. */
  readonly quietMs?: number;
  /** How long is waited at most; default 15 s. */
  readonly longestMs?: number;
  /** Milliseconds since the start of the kernel; injectable for tests. */
  readonly uptimeMs?: () => number;
  /** Injectable for tests. */
  readonly look?: FindLocalSystemsOptions['look'];
}

/** A machine that has shown no disk of its own by then (controllers look again after 10 s) is taken to have none yet. */
const firstDiskUptimeMs = 15_000;

/** Looks for the machine's own systems on its disks, once these are all there (as far as anyone can know). */
export async function searchLocalDisks(options: SearchLocalDisksOptions): Promise<LocalSystems> {
  return await lookAt(await settledDisks(options, isEnoughOnce(options)), options);
}

/**
 * A search that looks at each disk once: called again, it looks at those that have come since, and at nothing when none
 * has. Controllers may take a minute to show their disks, and a stick is there before them.
 */
export function eachDiskSearch(options: SearchLocalDisksOptions): () => Promise<LocalSystems> {
  let seen: ReadonlySet<string> | null = null;
  return async () => {
    const before = seen;
    const listDisks = async (): Promise<readonly DiskFacts[]> =>
      (await disksOf(options)).filter((disk) => before === null || !before.has(keyOf(disk)));
    if (before !== null && (await listDisks()).length === 0) return { systems: [], passedOver: [] };
    const disks = await settledDisks({ ...options, listDisks }, before === null ? isEnoughOnce(options) : () => true);
    seen = new Set([...(before ?? []), ...disks.map(keyOf)]);
    return await lookAt(disks, options);
  };
}

async function settledDisks(
  options: SearchLocalDisksOptions,
  isEnough: (disks: readonly DiskFacts[]) => boolean,
): Promise<readonly DiskFacts[]> {
  const { signal, quietMs = 2000, longestMs = 15_000 } = options;
  const list = async (): Promise<readonly DiskFacts[]> => await disksOf(options);
  return await untilDisksSettle({ list, quietMs, longestMs, isEnough, signal });
}

async function disksOf({ listDisks }: SearchLocalDisksOptions): Promise<readonly DiskFacts[]> {
  return (await listDisks()).filter(({ kind }) => kind !== 'cdrom');
}

function isEnoughOnce({ uptimeMs = () => uptime() * 1000 }: SearchLocalDisksOptions) {
  return (disks: readonly DiskFacts[]): boolean => haveSystemDisk(disks) || uptimeMs() >= firstDiskUptimeMs;
}

/** The stick that was booted from, and the empty drives of a management controller, say nothing about the others. */
function haveSystemDisk(disks: readonly DiskFacts[]): boolean {
  return disks.some(({ sizeBytes, removable }) => sizeBytes > 0 && !removable);
}

/** A disk that has got a medium or partitions meanwhile is another one. */
function keyOf({ path, devno, sizeBytes, partitions }: DiskFacts): string {
  return [path, devno, sizeBytes, partitions.length].join(' ');
}

async function lookAt(disks: readonly DiskFacts[], { signal, look }: SearchLocalDisksOptions): Promise<LocalSystems> {
  return await findLocalSystems({ disks, signal, ...(look === undefined ? {} : { look }) });
}
