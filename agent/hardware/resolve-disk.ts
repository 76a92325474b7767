import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import type { DiskFacts } from '../disk/types.ts';
import { matchesById } from './by-id-name.ts';
import { byPathNames } from './by-path-names.ts';
import { normalizeWwn } from './disk-identity.ts';
import { applyDiskRule, isDiskRule, parseDiskRule } from './disk-rule.ts';
import { isEligible } from './list-disks.ts';
import { realRoots, type SystemRoots } from './sysfs.ts';

/**
 * The one disk that `target_disk` means (protocol.md): a path, a `/dev/disk/by-id` or `by-path` name with or without its
 * folder, both also where no udev makes them (failure row F22), `serial:…`, `wwn:…`, a rule, or null for the only eligible disk. Rules and null choose among eligible disks only; a
 * disk that is named is given back as it is, for `assertUsable` to judge.
 * @throws ProvisionError `target_not_found`, `target_ambiguous` (with the candidates), `usage` for a bad rule,
 * `disk_not_eligible` when another path leads to the same disk (multipath).
 */
export async function resolveDisk(
  spec: string | null,
  disks: readonly DiskFacts[],
  roots: SystemRoots = realRoots,
): Promise<DiskFacts> {
  const found = await candidates(spec, disks, roots);
  const what = `"${spec}"`;
  const facts = { target: spec ?? '', disks: disks.map(describeDisk) };
  const [disk] = found;
  if (disk === undefined) {
    const why = spec === null || isDiskRule(spec) ? reasons(disks) : listed(disks);
    const none = spec === null ? 'no disk can be installed on' : `no disk is ${what}`;
    throw new ProvisionError('target_not_found', `${none}: ${why}`, { facts });
  }
  refuseMultipath(disk, disks);
  if (found.length > 1) {
    const list = found.map(describeDisk).join('; ');
    const could = spec === null ? 'can be installed on, and none is named' : `could be ${what}`;
    throw new ProvisionError('target_ambiguous', `${found.length} disks ${could}: ${list}`, { facts });
  }
  return disk;
}

/** One line that lets a person tell the disk from others. */
export function describeDisk(disk: DiskFacts): string {
  const parts = [
    `${(disk.sizeBytes / 1e9).toFixed(1)} GB`,
    disk.transport,
    disk.model,
    disk.serial === null ? null : `serial ${disk.serial}`,
    disk.wwn === null ? null : `wwn ${disk.wwn}`,
  ];
  return `${disk.path} (${parts.filter((part) => part !== null).join(', ')})`;
}

async function candidates(
  spec: string | null,
  disks: readonly DiskFacts[],
  roots: SystemRoots,
): Promise<readonly DiskFacts[]> {
  const eligible = disks.filter((disk) => isEligible(disk) === null);
  if (spec === null) return eligible;
  if (isDiskRule(spec)) return applyDiskRule(parseDiskRule(spec), eligible);
  const value = spec.slice(spec.indexOf(':') + 1).trim();
  if (spec.startsWith('serial:')) return disks.filter((disk) => disk.serial !== null && disk.serial === value);
  if (spec.startsWith('wwn:')) return disks.filter((disk) => disk.wwn !== null && disk.wwn === normalizeWwn(value));
  const name = /^(?:\/dev\/disk\/by-(?:id|path)\/)?([a-z0-9]+-[^/]+)$/.exec(spec)?.[1];
  const node = await realpath(spec).catch(() => spec);
  const byNode = disks.filter((disk) => disk.path === node);
  if (byNode.length > 0 || name === undefined) return byNode;
  for (const folder of ['by-id', 'by-path']) {
    const link = await realpath(join(roots.devRoot, 'disk', folder, name)).catch(() => null);
    const linked = disks.filter((disk) => disk.path === link);
    if (linked.length > 0) return linked;
  }
  return await withoutUdev(name, disks, roots);
}

async function withoutUdev(
  name: string,
  disks: readonly DiskFacts[],
  roots: SystemRoots,
): Promise<readonly DiskFacts[]> {
  const byId = disks.filter((disk) => matchesById(name, disk));
  if (byId.length > 0) return byId;
  const names = await Promise.all(disks.map(async (disk) => await byPathNames(disk.name, roots)));
  return disks.filter((_disk, index) => names[index]?.includes(name) === true);
}

function refuseMultipath(disk: DiskFacts, disks: readonly DiskFacts[]): void {
  const twins = disks.filter((other) => other.wwn !== null && other.wwn === disk.wwn && other.kind === 'disk');
  if (twins.length < 2) return;
  const paths = twins.map((twin) => twin.path);
  throw new ProvisionError(
    'disk_not_eligible',
    `${paths.join(' and ')} are paths to one disk (wwn ${disk.wwn}); multipath is not supported`,
    { facts: { wwn: disk.wwn, paths } },
  );
}

/** Without what is no device of the machine: an installer has loop devices, and eight of them would hide the rest. */
function reasons(disks: readonly DiskFacts[]): string {
  const real = disks.filter(({ kind }) => kind !== 'loop' && kind !== 'ram' && kind !== 'zram');
  if (real.length === 0) return 'the kernel knows no disk at all';
  return real.map((disk) => isEligible(disk) ?? describeDisk(disk)).join('; ');
}

function listed(disks: readonly DiskFacts[]): string {
  const real = disks.filter((disk) => disk.kind === 'disk');
  if (real.length === 0) return 'the kernel knows no disk at all';
  return `there is ${real.map((disk) => `${basename(disk.path)}: ${describeDisk(disk)}`).join('; ')}`;
}
