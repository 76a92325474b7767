import assert from 'node:assert/strict';
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

test('F11 a clock in 1970, without a pin: the clock is named as the cause, and the machine enrols when it is set', async () => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const nowSeconds = Math.round(Date.now() / 1000);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios', clock: '1970-01-01T00:00:00', hasPin: false, hotplugPorts: 1 },
    overlay: {
      // The server's CA is one of the system's, as that of a company that has its own.
      files: { '/etc/ssl/certs/ca-certificates.crt': server.process.caCertificate },
      // Somebody sets the clock: when the test says so, by a disk that it plugs in.
      hook: `${screenHook}
        until disk_of SET-CLOCK 2>/dev/null; do sleep 1; done
        date -u -s "@$((${nowSeconds} + $(cut -d . -f 1 /proc/uptime)))"`,
    },
  });
  const consoles = new GuestConsoles(resources, guest.vm);
  const cause = [/PROBLEM.{1,3}clock_wrong/, /certificate of the server .* is not valid yet at 1970-01-01T/];
  await consoles.both([...cause, /Set the clock in the firmware's setup, or boot with durantic\.pin=/], patience);
  assert.deepEqual(await guest.machines(), []);
  await guest.vm.addDisk({ id: 'clock', file: resources.sparseFile(1024 * 1024), serial: 'SET-CLOCK' });
  await guest.waitForMachine(() => true, patience);
  await consoles.gone([/PROBLEM/], patience);
});
