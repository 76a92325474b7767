import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { GuestConsoles, screenHook } from '../guest-consoles.ts';
import { InstallerGuest } from '../installer-guest.ts';
import { startInstallerServer } from '../installer-server.ts';
import { assertClocks, clocksHook } from '../prove-clocks.ts';

const patience = { timeoutMs: 120_000 };

test('F11 a clock in 1970: with the pin the machine enrols, and both of its clocks are right afterwards', async () => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios', clock: '1970-01-01T00:00:00' },
    overlay: { hook: `${screenHook}${clocksHook}` },
  });
  const consoles = new GuestConsoles(resources, guest.vm);
  await guest.waitForMachine(() => true, patience);
  await assertClocks(guest, patience);
  await consoles.both([/[Cc]lock:? +set from 1970-01-01T00:\d\d:\d\d\.\d+Z to 20\d\d-/], patience);
  await consoles.gone([/PROBLEM/], patience);
});
