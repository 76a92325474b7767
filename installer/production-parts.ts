import { rebootMachine } from '../agent/boot/reboot.ts';
import { listDisks } from '../agent/hardware/list-disks.ts';
import { sleep } from '../core/base/abort.ts';
import { ProvisionError } from '../core/base/errors.ts';
import { openDisplay } from './console/display.ts';
import type { InstallerParts } from './installer-parts.ts';
import { setMachineClock } from './settings/set-machine-clock.ts';

const goingDownMs = 5 * 60_000;

/** The installer as it runs on a machine. */
export const productionParts: InstallerParts = {
  openDisplay,
  startNetwork: async () => {
    throw new ProvisionError('not_implemented', 'the network of the installer');
  },
  probeOf: () => async () => undefined,
  supervise: async () => undefined,
  listDisks: async () => (await listDisks()).filter(({ kind }) => kind === 'disk' || kind === 'cdrom'),
  setClock: setMachineClock,
  leave: async (how, signal) => {
    await rebootMachine({ how, signal });
    await sleep(goingDownMs, signal);
    const minutes = goingDownMs / 60_000;
    throw new ProvisionError('tool_failed', `the machine still runs ${minutes} minutes after it was told to ${how}`);
  },
};
