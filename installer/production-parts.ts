import { sleep } from '../core/base/abort.ts';
import { ProvisionError } from '../core/base/errors.ts';
import { openDisplay } from './console/display.ts';
import type { InstallerParts } from './installer-parts.ts';
import { removeLeftovers } from './remove-leftovers.ts';
import { Supervision } from './supervision/supervision.ts';

const goingDownMs = 5 * 60_000;

/** Asks the server by one link, trusting it as everything else here does. */
export const probeOf: InstallerParts['probeOf'] = ({ server, pin, proxy }, clock) => {
  const settings = {
    ...clock,
    server: new URL(server),
    pin: pin ?? null,
    proxy: proxy === undefined ? null : new URL(proxy),
  };
  return async (route, signal) => {
    const { serverProbe } = await import('./network/probe-server.ts');
    await serverProbe(settings)(route, signal);
  };
};

/** The installer as it runs on a machine. What is not needed for its first screen is loaded when it is used. */
export function productionParts(): InstallerParts {
  const supervision = new Supervision();
  return {
    openDisplay,
    startNetwork: async (options) => (await import('./network/start-network.ts')).startNetwork(options),
    probeOf,
    removeLeftovers: async (say, signal) => await removeLeftovers(say, signal),
    supervise: async (options) => await supervision.run(options),
    listDisks: async () => {
      const { listDisks } = await import('../agent/hardware/list-disks.ts');
      return (await listDisks()).filter(({ kind }) => kind === 'disk' || kind === 'cdrom');
    },
    setClock: async (...change) => await (await import('./settings/set-machine-clock.ts')).setMachineClock(...change),
    leave: async (how, signal) => {
      // The next system may not feed it.
      supervision.stopWatchdog();
      const { rebootMachine } = await import('../agent/boot/reboot.ts');
      await rebootMachine({ how, signal });
      await sleep(goingDownMs, signal);
      const minutes = goingDownMs / 60_000;
      throw new ProvisionError('tool_failed', `the machine still runs ${minutes} minutes after it was told to ${how}`);
    },
  };
}
