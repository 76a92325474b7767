import { rebootMachine } from '../agent/boot/reboot.ts';
import { listDisks } from '../agent/hardware/list-disks.ts';
import { sleep } from '../core/base/abort.ts';
import { ProvisionError } from '../core/base/errors.ts';
import { openDisplay } from './console/display.ts';
import type { InstallerParts } from './installer-parts.ts';
import { serverProbe } from './network/probe-server.ts';
import { startNetwork } from './network/start-network.ts';
import { setMachineClock } from './settings/set-machine-clock.ts';
import { Supervision } from './supervision/supervision.ts';

const goingDownMs = 5 * 60_000;

/** Asks the server by one link, trusting it as everything else here does. */
export const probeOf: InstallerParts['probeOf'] = ({ server, pin, proxy }, clock) =>
  serverProbe({
    ...clock,
    server: new URL(server),
    pin: pin ?? null,
    proxy: proxy === undefined ? null : new URL(proxy),
  });

/** The installer as it runs on a machine. */
export function productionParts(): InstallerParts {
  const supervision = new Supervision();
  return {
    openDisplay,
    startNetwork: async (options) => startNetwork(options),
    probeOf,
    supervise: async (options) => await supervision.run(options),
    listDisks: async () => (await listDisks()).filter(({ kind }) => kind === 'disk' || kind === 'cdrom'),
    setClock: setMachineClock,
    leave: async (how, signal) => {
      // The next system may not feed it.
      supervision.stopWatchdog();
      await rebootMachine({ how, signal });
      await sleep(goingDownMs, signal);
      const minutes = goingDownMs / 60_000;
      throw new ProvisionError('tool_failed', `the machine still runs ${minutes} minutes after it was told to ${how}`);
    },
  };
}
