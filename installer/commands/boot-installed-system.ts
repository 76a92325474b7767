import { join } from 'node:path';
import { bootFilesBytes, copyBootFiles, decideKexec, loadKexec } from '../../agent/boot/kexec.ts';
import { openSystemDisk, type SystemDisk } from '../../agent/boot/open-system-disk.ts';
import { readBootEntry } from '../../agent/boot/read-boot-entry.ts';
import { bootNextFrom } from '../../agent/boot/uefi-entry.ts';
import type { CommandContext, CommandHandler } from '../../agent/commands/command-table.ts';
import { detectFirmware } from '../../agent/provision/detect-firmware.ts';
import { describeError } from '../../core/base/describe-error.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import type { LocalSystem } from '../identity/find-local-systems.ts';
import type { InstallerContext } from './installer-context.ts';
import { keepOutboxInSystem } from './keep-outbox-in-system.ts';
import { leaveMachine } from './leave-machine.ts';

/**
 * `BootInstalledSystem`: the system of this machine on a local disk, by kexec where that is wanted and possible, else by
 * a restart that the firmware is told the disk of.
 */
export function bootInstalledSystem(installer: InstallerContext): CommandHandler<'BootInstalledSystem'> {
  return {
    run: async ({ kexec }, context) => {
      const system = await chooseSystem(installer, context);
      const { how, said, rootType } = await prepare(system, { useKexec: kexec === 'auto' }, { installer, context });
      const detail = `into the system on ${system.disk.path}`;
      return {
        state: 'done',
        reason: `${detail} by ${how}: ${said}`,
        afterwards: async () => {
          const handOver = handOverTo(system, rootType, { installer, context });
          await leaveMachine({ how, detail, handOver }, installer, context);
        },
      };
    },
    afterRestart: ({ isOtherBoot }) =>
      isOtherBoot
        ? { state: 'failed', reason: 'the machine was started again, and is in the installer' }
        : { state: 'failed', reason: 'the installer was started again before it left' },
  };
}

/** The one with this machine's own key, else the one that was installed last. */
async function chooseSystem(installer: InstallerContext, { signal }: CommandContext): Promise<LocalSystem> {
  const { systems, passedOver } = await installer.findSystems(signal);
  const key = installer.identity.public_key.x;
  const system = systems.find(({ identity }) => identity?.public_key.x === key) ?? systems[0];
  if (system !== undefined) return system;
  const why = passedOver.length === 0 ? '' : ` (${passedOver.join('; ')})`;
  throw new ProvisionError('target_not_found', `no disk of this machine holds a system that durantic knows${why}`);
}

interface Works {
  readonly installer: InstallerContext;
  readonly context: CommandContext;
}

interface Prepared {
  readonly how: 'kexec' | 'reboot';
  readonly said: string;
  /** Of the root file system; null when it could not be read. */
  readonly rootType: string | null;
}

/** How the agent of this system gets what the server lacks; null for one that is another machine's or cannot be read. */
function handOverTo(
  { device, identity }: LocalSystem,
  rootType: string | null,
  { installer, context: { signal } }: Works,
): (() => Promise<void>) | null {
  const { log, outbox } = installer;
  const publicKey = installer.identity.public_key.x;
  if (rootType === null || identity?.public_key.x !== publicKey) return null;
  return async () => await keepOutboxInSystem({ root: { device, type: rootType }, publicKey, outbox, log, signal });
}

async function prepare(
  system: LocalSystem,
  { useKexec }: { readonly useKexec: boolean },
  { installer, context }: Works,
): Promise<Prepared> {
  const ctx = { log: installer.log, signal: context.signal };
  const firmware = detectFirmware();
  let said = 'kexec was not wanted';
  let rootType: string | null = null;
  try {
    await using disk = await openSystemDisk({ disk: system.disk, rootNumber: system.partition }, ctx);
    const { partitions, rootNumber } = disk.layout;
    rootType = partitions.find(({ number }) => number === rootNumber)?.fsType ?? null;
    const obstacle = useKexec ? await tryKexec(disk, firmware, { installer, context }) : said;
    if (obstacle === null) return { how: 'kexec', said: 'its kernel is loaded', rootType };
    said = obstacle;
    if (firmware === 'uefi') {
      return { how: 'reboot', said: `${said}; ${await bootNextFrom(disk.espPartUuid, ctx)}`, rootType };
    }
  } catch (error) {
    if (context.signal.aborted) throw error;
    said = `its boot files cannot be read (${describeError(error)})`;
  }
  return { how: 'reboot', said: `${said}; the firmware chooses what it boots`, rootType };
}

/** Null when the kernel is loaded, otherwise why not. */
async function tryKexec(
  disk: SystemDisk,
  firmware: 'bios' | 'uefi',
  { installer, context }: Works,
): Promise<string | null> {
  const ctx = { log: installer.log, signal: context.signal };
  try {
    const entry = await readBootEntry(disk.layout, firmware === 'bios' ? 'pc' : 'efi', ctx);
    const filesBytes = await bootFilesBytes(entry, disk.layout, ctx);
    const decision = decideKexec({ requested: true, entry, filesBytes });
    if (!decision.useKexec) return decision.reason;
    using files = await copyBootFiles(entry, { layout: disk.layout, ramDir: join(installer.runDir, 'kexec') }, ctx);
    await loadKexec(files, ctx);
    return null;
  } catch (error) {
    if (context.signal.aborted) throw error;
    return `kexec is not possible (${describeError(error)})`;
  }
}
