import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { assertSameDisk } from './same-disk.ts';
import type { DiskContext, DiskFacts, DiskUser } from './types.ts';

export interface StopUsersOptions {
  /** Reads the disk anew, before anything is stopped and after each stop (`readDisk`). */
  readonly readAgain: () => Promise<DiskFacts>;
  /** Injectable for tests. */
  readonly run?: typeof runCommand;
}

/** What is stopped may uncover something below it, but not more often than this. */
const deepestStack = 16;

/**
 * Stops swap, md arrays and LVM volume groups that lie wholly on the disk, the highest in the stack first, and makes
 * sure that they are gone (failure row F33). The name of the disk may have gone over to another one since it was chosen:
 * what uses that one is not stopped.
 * @returns one sentence for each thing that was stopped.
 * @throws ProvisionError `disk_changed`; `disk_busy` when something cannot be stopped; `tool_missing`, `tool_failed`.
 */
export async function stopUsers(disk: DiskFacts, options: StopUsersOptions, ctx: DiskContext): Promise<string[]> {
  const run = options.run ?? runCommand;
  const said: string[] = [];
  let now = await readSame(disk, options);
  for (let round = 0; round < deepestStack; round += 1) {
    const user = highest(now);
    if (user === undefined) return said;
    const [file, args] = commandFor(user);
    ctx.log.info(
      { device: user.device, user: user.detail, command: [file, ...args].join(' ') },
      'stopping a user of the disk',
    );
    await refuseForeignVolumes(user, now, { run, ctx });
    await run(file, args, { signal: ctx.signal });
    const after = await readSame(disk, options);
    if (after.users.some((left) => left.device === user.device && left.kind === user.kind)) {
      throw busy(disk, [user], 'is still in use after it was stopped');
    }
    said.push(`stopped: ${user.device} (${user.detail})`);
    now = after;
  }
  throw busy(disk, now.users, 'is in use again and again');
}

async function readSame(disk: DiskFacts, options: StopUsersOptions): Promise<DiskFacts> {
  const now = await options.readAgain();
  assertSameDisk(disk, now);
  return now;
}

function highest(disk: DiskFacts): DiskUser | undefined {
  const blockers = disk.users.filter((user) => !user.canStop);
  if (blockers.length > 0) throw busy(disk, blockers, 'is in use by what cannot be stopped');
  return disk.users.toSorted((a, b) => b.depth - a.depth)[0];
}

function commandFor(user: DiskUser): [string, string[]] {
  if (user.kind === 'swap') return ['swapoff', [user.device]];
  if (user.kind === 'md') return ['mdadm', ['--stop', user.device]];
  if (user.kind === 'lvm' && user.vgUuid !== undefined) {
    // By UUID: the group's name need not be unique, a clone of it may be on another disk.
    return ['vgchange', ['--activate', 'n', '--select', `vg_uuid=${user.vgUuid}`]];
  }
  throw new ProvisionError('invariant', `there is no way to stop ${user.device}, which was said to be stoppable`);
}

/** An inactive volume of the group on another disk shows in no sysfs entry, only in the group's own metadata. */
async function refuseForeignVolumes(
  user: DiskUser,
  disk: DiskFacts,
  how: { readonly run: typeof runCommand; readonly ctx: DiskContext },
): Promise<void> {
  if (user.kind !== 'lvm' || user.vgUuid === undefined) return;
  const args = ['--noheadings', '--options', 'pv_name', '--select', `vg_uuid=${user.vgUuid}`];
  const { stdout } = await how.run('pvs', args, { signal: how.ctx.signal });
  const own = new Set([disk.path, ...disk.partitions.map((partition) => `/dev/${partition.name}`)]);
  const volumes = stdout
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const foreign = volumes.filter((volume) => !own.has(volume) && !isOnTop(volume, disk));
  if (foreign.length === 0) return;
  throw new ProvisionError('disk_busy', `the LVM group of ${user.detail} also lies on ${foreign.join(', ')}`, {
    facts: { device: disk.path, volumes: foreign },
  });
}

/** A physical volume may itself be an md array that lies wholly on this disk. */
function isOnTop(volume: string, disk: DiskFacts): boolean {
  return disk.users.some((user) => user.device === volume && user.canStop);
}

function busy(disk: DiskFacts, users: readonly DiskUser[], why: string): ProvisionError {
  const said = users.map((user) => `${user.device} is ${user.detail}`);
  return new ProvisionError('disk_busy', `${disk.path} ${why}: ${said.join('; ')}`, {
    facts: { device: disk.path, users: said },
  });
}
