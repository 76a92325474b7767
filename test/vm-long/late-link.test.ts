import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources, waitFor } from '../resources.ts';
import { GuestConsoles, screenHook } from '../vm/guest-consoles.ts';
import { InstallerGuest } from '../vm/installer-guest.ts';
import { startInstallerServer } from '../vm/installer-server.ts';

const patience = { timeoutMs: 120_000 };

for (const [model, waitSeconds] of [
  ['e1000e', 60],
  ['virtio-net-pci', 120],
] as const) {
  test(`F17 the link of ${model} comes up after ${waitSeconds} s: the screen shows for how long it waits, and the machine enrols`, async () => {
    await using resources = new Resources();
    const server = await startInstallerServer(resources);
    const guest = await InstallerGuest.start(resources, {
      ...{ server, medium: 'direct', firmware: 'seabios', isPaused: true, network: { model } },
      overlay: { hook: screenHook },
    });
    const consoles = new GuestConsoles(resources, guest.vm);
    await guest.vm.setLink(false);
    await guest.vm.resume();
    await consoles.both([/no cable, or the switch port is off/], patience);
    const sinceMs = Date.now();
    const shown = new Set<string>();
    await waitFor(
      'the time without carrier to pass',
      () => {
        const [, waited] = /no cable, or the switch port is off \(([^)]+)\)/.exec(consoles.screen) ?? [];
        if (waited !== undefined) shown.add(waited);
        return Date.now() - sinceMs > waitSeconds * 1000;
      },
      { timeoutMs: waitSeconds * 1000 + 60_000, intervalMs: 500 },
    );
    assert.ok(shown.size > waitSeconds / 6, `the time goes on: ${[...shown].join(', ')}`);
    assert.match([...shown].at(-1) ?? '', /min/);
    assert.deepEqual(await guest.machines(), []);
    await guest.vm.setLink(true);
    const pluggedMs = Date.now();
    await guest.waitForMachine(() => true, patience);
    console.log(
      `F17: ${model}: enrolled ${((Date.now() - pluggedMs) / 1000).toFixed(1)} s after its cable was plugged`,
    );
    await consoles.gone([/no cable/, /Plug in/], patience);
  });
}
