import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { GuestConsoles, screenHook } from '../vm/guest-consoles.ts';
import { InstallerGuest } from '../vm/installer-guest.ts';
import { startInstallerServer } from '../vm/installer-server.ts';
import { assertClocks, clocksHook } from '../vm/prove-clocks.ts';

const patience = { timeoutMs: 120_000 };

// 1970 with the pin is in test/vm/installer/clock.test.ts.
for (const [clock, problem] of [
  ['2019-03-01T12:00:00', 'is not valid yet at 2019-03-01T'],
  ['2035-06-01T12:00:00', 'has expired at 2035-06-01T'],
] as const) {
  const year = clock.slice(0, 4);
  test(`F11 a clock in ${year}: with the pin the machine enrols, and both of its clocks are right afterwards`, async () => {
    await using resources = new Resources();
    const server = await startInstallerServer(resources);
    const guest = await InstallerGuest.start(resources, {
      ...{ server, clock, medium: 'direct', firmware: 'ovmf' },
      overlay: {
        hook: `${screenHook}${clocksHook}`,
      },
    });
    const consoles = new GuestConsoles(resources, guest.vm);
    await guest.waitForMachine(() => true, patience);
    await assertClocks(guest, patience);
    await consoles.both([new RegExp(`set from ${year}-`)], patience);
  });

  test(`F11 a clock in ${year}, without a pin: the clock is named as the cause on both consoles`, async () => {
    await using resources = new Resources();
    const server = await startInstallerServer(resources);
    const guest = await InstallerGuest.start(resources, {
      ...{ server, clock, medium: 'direct', firmware: 'seabios', hasPin: false },
      overlay: {
        files: { '/etc/ssl/certs/ca-certificates.crt': server.process.caCertificate },
        hook: screenHook,
      },
    });
    const consoles = new GuestConsoles(resources, guest.vm);
    await consoles.both([/PROBLEM.{1,3}clock_wrong/, new RegExp(problem), /Set the clock in the firmware/], patience);
    assert.deepEqual(await guest.machines(), []);
  });
}

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
