import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { parseEfibootmgr } from '../../agent/boot/firmware-boot.ts';
import { makeBootDisk, writeBootImage } from '../builders/boot-image.ts';
import { Resources } from '../resources.ts';
import { InstallLab } from '../vm/install-lab.ts';
import type { InstallerGuest } from '../vm/installer-guest.ts';

const gib = 1024 ** 3;

// At each start of the installer: what the firmware has, under a name of its own; the count is kept in a file of a disk.
const hook = (makesReadOnly: boolean): string => `
  until [ -e /run/durantic/installer.log ]; do sleep 0.2; done
  ${makesReadOnly ? 'mount -o remount,ro /sys/firmware/efi/efivars' : ''}
  disk=$(disk_of COUNTER)
  count=$(($(dd if=$disk bs=1 count=1 2>/dev/null | tr -c '0-9' '0') + 1))
  printf '%s' "$count" | dd of=$disk conv=notrunc,fsync 2>/dev/null
  prove "entries-$count" "{\\"text\\":\\"$(efibootmgr -v | tr '\\n\\t' '|>' | tr -d '\\\\"')\\"}"`;

/** The firmware's entries that are ours, and its order, at the `count`th start. */
async function entriesAt(guest: InstallerGuest, count: number) {
  const { facts } = await guest.waitForProof(`entries-${count}`, { timeoutMs: 180_000 });
  const text = z.object({ text: z.string() }).parse(facts).text.replaceAll('|', '\n').replaceAll('>', '\t');
  const order = /^BootOrder: (.*)$/m.exec(text)?.[1]?.split(',') ?? [];
  return { own: parseEfibootmgr(text).filter(({ label }) => label.startsWith('Durantic: ')), order };
}

async function installTwice(makesReadOnly: boolean, resources: Resources) {
  const lab = await InstallLab.create(resources);
  const disk = await makeBootDisk(resources);
  await lab.push((await writeBootImage(resources, { disk })).reference, 'small:1');
  const guest = await lab.startInstaller({
    // QEMU hands the installer's kernel over at each start: after an installation the machine is there again.
    ...{ medium: 'direct', firmware: 'ovmf', overlay: { hook: hook(makesReadOnly) } },
    disks: [
      { file: resources.sparseFile(2 * gib), serial: 'TARGET' },
      { file: resources.sparseFile(16 * 1024 ** 2), serial: 'COUNTER' },
    ],
  });
  let { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware !== null);
  const seen = [await entriesAt(guest, 1)];
  const histories: string[] = [];
  for (const count of [2, 3]) {
    const provisionUuid = await lab.provision(machineUuid, {
      image: 'small:1',
      settings: { target_disk: 'serial:TARGET', inject_agent: false },
    });
    await lab.waitForRun(
      guest.vm,
      { machineUuid, provisionUuid },
      { what: 'completed', is: ({ status }) => status === 'completed', timeoutMs: 240_000 },
    );
    histories.push(JSON.stringify(await lab.history(machineUuid, provisionUuid)));
    seen.push(await entriesAt(guest, count));
    // The image has no agent, so the machine's identity went with the installation: it enrols as a new one.
    const before = machineUuid;
    ({ uuid: machineUuid } = await guest.waitForMachine(({ uuid, hardware }) => uuid !== before && hardware !== null));
  }
  return { seen, histories };
}

test('F53 two installations on one disk leave one boot entry of ours, and it is the first', async () => {
  await using resources = new Resources();
  const { seen } = await installTwice(false, resources);
  assert.deepEqual(
    seen.map(({ own }) => own.length),
    [0, 1, 1],
  );
  for (const { own, order } of seen.slice(1)) assert.equal(order[0], own[0]?.number);
  assert.notEqual(seen[1]?.own[0]?.devicePath, seen[2]?.own[0]?.devicePath, 'the second is of the new partition');
});

test('F52 variables of the firmware that cannot be written: a warning, and the installation is complete', async () => {
  await using resources = new Resources();
  const { seen, histories } = await installTwice(true, resources);
  assert.deepEqual(
    seen.map(({ own }) => own.length),
    [0, 0, 0],
  );
  for (const history of histories) assert.match(history, /the disk boots by the removable path/);
});
