import type { DiskFacts } from '../../agent/disk/types.ts';
import { throwIfAborted } from '../../core/base/abort.ts';
import { describeError } from '../../core/base/describe-error.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { type FoundState, lookIntoFilesystem } from './look-into-filesystem.ts';

/** A system of durantic on a local disk. */
export interface LocalSystem extends Omit<FoundState, 'problems'> {
  /** Partition, or the disk itself. */
  readonly device: string;
  readonly disk: DiskFacts;
  /** Number of the partition; null for a file system on the whole disk. */
  readonly partition: number | null;
}

export interface LocalSystems {
  /** The one that was installed last first; those without `provision.json` at the end. */
  readonly systems: readonly LocalSystem[];
  /** A sentence for each place that was passed over although something is there, and why. */
  readonly passedOver: readonly string[];
}

export interface FindLocalSystemsOptions {
  readonly disks: readonly DiskFacts[];
  readonly signal: AbortSignal;
  /** What one disk may take; default 20 s. A dying one must not keep the machine from enrolling. */
  readonly diskTimeoutMs?: number;
  /** Injectable for tests. */
  readonly look?: typeof lookIntoFilesystem;
}

const disksAtOnce = 8;

/**
 * Looks for systems that durantic has installed, in the file systems of local disks and their partitions. Nothing is
 * written and nothing is activated: no LVM, no md, no second device of a btrfs. Disks are looked at side by side, the
 * partitions of one after the other.
 * @throws ProvisionError `aborted`.
 */
export async function findLocalSystems(options: FindLocalSystemsOptions): Promise<LocalSystems> {
  const { signal } = options;
  const systems: LocalSystem[] = [];
  const passedOver: string[] = [];
  const waiting = [...options.disks];
  const work = async (): Promise<void> => {
    for (let disk = waiting.shift(); disk !== undefined; disk = waiting.shift()) {
      const found = await lookAtDisk(disk, options);
      systems.push(...found.systems);
      passedOver.push(...found.passedOver);
    }
  };
  await Promise.all(Array.from({ length: disksAtOnce }, work));
  throwIfAborted(signal);
  return { systems: systems.sort(byNewest), passedOver: passedOver.sort() };
}

async function lookAtDisk(disk: DiskFacts, options: FindLocalSystemsOptions): Promise<LocalSystems> {
  const { diskTimeoutMs = 20_000 } = options;
  const found: { systems: LocalSystem[]; passedOver: string[] } = { systems: [], passedOver: [] };
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => resolve('late'), diskTimeoutMs);
  try {
    const outcome = await Promise.race([lookAtPlaces(disk, found, { ...options, signal }), late]);
    if (outcome === 'late') {
      // What hangs in the kernel hangs on; what it finds is not used any more.
      ending.abort(new ProvisionError('aborted', 'the disk does not answer'));
      const seconds = Math.round(diskTimeoutMs / 1000);
      return {
        systems: [...found.systems],
        passedOver: [...found.passedOver, `${disk.path} did not answer within ${seconds} s`],
      };
    }
    return found;
  } finally {
    clearTimeout(timer);
  }
}

async function lookAtPlaces(
  disk: DiskFacts,
  into: { readonly systems: LocalSystem[]; readonly passedOver: string[] },
  { signal, look = lookIntoFilesystem }: FindLocalSystemsOptions,
): Promise<'done'> {
  for (const { device, sizeBytes, partition } of placesOf(disk)) {
    if (signal.aborted) return 'done';
    try {
      const state = await look({ device, sizeBytes, signal });
      if (state === null) continue;
      into.passedOver.push(...state.problems);
      const { identity, record } = state;
      if (identity !== null || record !== null) into.systems.push({ identity, record, device, disk, partition });
    } catch (error) {
      if (signal.aborted) return 'done';
      into.passedOver.push(`${device} cannot be looked into: ${describeError(error)}`);
    }
  }
  return 'done';
}

function placesOf(disk: DiskFacts): readonly { device: string; sizeBytes: number; partition: number | null }[] {
  if (disk.sizeBytes === 0) return [];
  // A disk with partitions is no file system, whatever an old one has left in its first sectors.
  if (disk.partitions.length === 0) return [{ device: disk.path, sizeBytes: disk.sizeBytes, partition: null }];
  return disk.partitions.map(({ name, number, sizeBytes }) => ({
    device: `/dev/${name.replaceAll('!', '/')}`,
    sizeBytes,
    partition: number,
  }));
}

function byNewest(a: LocalSystem, b: LocalSystem): number {
  const time = ({ record }: LocalSystem): number => (record === null ? 0 : Date.parse(record.installed_at));
  return time(b) - time(a) || a.device.localeCompare(b.device, 'en', { numeric: true });
}
