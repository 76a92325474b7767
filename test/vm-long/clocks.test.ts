import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { GuestConsoles, screenHook } from '../vm/guest-consoles.ts';
import { InstallerGuest } from '../vm/installer-guest.ts';
import { startInstallerServer } from '../vm/installer-server.ts';
import { assertClocks, clocksHook } from '../vm/prove-clocks.ts';

const patience = { timeoutMs: 120_000 };

// 1970 is in test/vm/installer/clock.test.ts.
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
