import assert from 'node:assert/strict';
import { test } from 'node:test';
import { minimumMemory } from '../../../initramfs/minimum-memory.ts';
import { Resources } from '../../resources.ts';
import { InstallerGuest } from '../installer-guest.ts';
import { startInstallerServer } from '../installer-server.ts';
import { screenText } from '../screen-text.ts';

test(`F15 with ${minimumMemory.ramMib} MiB, the stated minimum, the installer enrols and stays on`, async () => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios', memoryMib: minimumMemory.ramMib },
    overlay: {
      hook: `
        until grep -q machine_uuid /var/lib/durantic/identity.json 2>/dev/null; do sleep 1; done
        sleep 5
        value() { sed -n "s/^$1: *\\([0-9]*\\) kB$/\\1/p" /proc/meminfo; }
        crash=$([ -e /run/durantic/crash ] && echo true || echo false)
        prove memory "{\\"total_kib\\":$(value MemTotal),\\"available_kib\\":$(value MemAvailable),\\"crashed\\":$crash}"`,
    },
  });
  await guest.waitForMachine();
  const { facts } = await guest.waitForProof('memory');
  console.log(
    `of ${facts['total_kib']} KiB that the kernel has, ${facts['available_kib']} KiB are available when enrolled`,
  );
  assert.equal(facts['crashed'], false);
  assert.ok(Number(facts['total_kib']) >= minimumMemory.usableMib * 1024);
});

test('F15 with less than the minimum it says on screen and serial line what the machine has and what it needs', async () => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios', memoryMib: minimumMemory.usableMib - 16 },
  });
  // The kernel's log has a line of its own about it: what counts is the text that is meant for a person.
  const sentence = new RegExp(
    `durantic installer: this machine has too little memory: have (\\d+) MiB that can be used, ?need ` +
      `${minimumMemory.usableMib} MiB\\.\\s*Give it at least ${minimumMemory.ramMib} MiB of RAM\\.`,
  );
  const [, have] = await guest.vm.waitForConsole(sentence, { timeoutMs: 60_000 });
  assert.ok(Number(have) > 256 && Number(have) < minimumMemory.usableMib, `${have} MiB`);
  const shown = await guest.vm.waitUntil(
    'the same sentence on the screen',
    // A row holds 80 characters: a longer line goes on in the next one.
    async () => sentence.exec((await screenText(guest.vm)).replaceAll('\n', '')) ?? false,
    { timeoutMs: 20_000 },
  );
  assert.equal(shown[1], have);
  assert.deepEqual(await guest.machines(), []);
  assert.equal(await guest.vm.status(), 'running', 'it stays on, for somebody to read it');
});
