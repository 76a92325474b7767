import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { buildDebianImage } from '../../vm/debian-image.ts';
import { readOnDisk } from '../../vm/find-on-disk.ts';
import { newIdentity } from '../../vm/guest-identity.ts';
import { rootOffsetBytes } from '../../vm/installed-guest.ts';
import { createNetworkBootLab } from '../../vm/network-boot-lab.ts';
import { assertDiskAtRest, installMachine } from '../../vm/scenarios/install-machine.ts';
import { StageClock } from '../../vm/scenarios/stage-clock.ts';

const gib = 1024 ** 3;
const mib = 1024 ** 2;

test('UEFI without kexec: the firmware starts the installer once; without room for it, the network does', async (context) => {
  await using resources = new Resources();
  using clock = new StageClock(context, 'UEFI');
  const firmware = 'ovmf';
  const lab = await createNetworkBootLab(resources);
  await lab.push(await buildDebianImage('debian-12'), 'debian:12');
  const target = resources.sparseFile(6 * gib);
  const identity = newIdentity();
  const medium = { medium: 'network', token: null, firmware, identity, memoryMib: 1536 } as const;
  const guest = await lab.startInstaller({ ...medium, disks: [{ file: target, serial: 'TARGET', bootIndex: 1 }] });
  const { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware !== null);
  const at = { lab, machineUuid, firmware, clock } as const;
  await assertDiskAtRest(
    { ...at, vm: guest.vm },
    await installMachine({ ...at, vm: guest.vm }, { image: 'debian:12', settings: { kexec_installer: false } }),
    target,
  );

  for (const [prepare, expected] of [
    [async () => undefined, /the firmware was told to start it once/],
    [async () => await leaveTheNetworkOnly(resources, target), /told to start from network once/],
  ] as const) {
    await prepare();
    const vm = await lab.startInstalled(identity, {
      firmware,
      disks: [{ file: target, serial: 'TARGET', bootIndex: 0 }],
      card: { hasBootRom: true, bootIndex: 1 },
    });
    await lab.waitForMode(vm, 'installed');
    clock.end('power-on to online');
    const anew = await installMachine({ ...at, vm }, { image: 'debian:12' });
    assert.match(JSON.stringify(await lab.history(machineUuid, anew.run.uuid)), expected);
    assert.equal((await lab.server.machines()).length, 1);
    await assertDiskAtRest({ ...at, vm }, anew, target);
  }
});

/** Fills the EFI system partition, and takes from GRUB that it can start something once. */
async function leaveTheNetworkOnly(resources: Resources, disk: string): Promise<void> {
  const dir = resources.tempDir();
  const { stdout } = await runCommand('sfdisk', ['--json', disk]);
  const table = JSON.parse(stdout) as { partitiontable: { partitions: { start: number; type: string }[] } };
  const esp = table.partitiontable.partitions.find(({ type }) => type.startsWith('C12A7328'));
  const image = `${disk}@@${(esp?.start ?? 0) * 512}`;
  const { stdout: info } = await runCommand('mdir', ['-i', image, '::/']);
  const free = Number(/([\d ]+) bytes free/.exec(info)?.[1]?.replaceAll(' ', ''));
  const filler = join(dir, 'filler');
  writeFileSync(filler, Buffer.alloc(free - 2 * mib));
  await runCommand('mcopy', ['-i', image, filler, '::/filler']);
  const config = join(dir, 'grub.cfg');
  const text = await readOnDisk(disk, '/boot/grub/grub.cfg');
  writeFileSync(config, text.replaceAll('next_entry', 'no_entry'));
  const requests = join(dir, 'requests');
  writeFileSync(requests, `rm /boot/grub/grub.cfg\nwrite ${config} /boot/grub/grub.cfg\n`);
  await runCommand('debugfs', ['-w', '-f', requests, `${disk}?offset=${await rootOffsetBytes(disk)}`]);
  const written = await readOnDisk(disk, '/boot/grub/grub.cfg');
  assert.equal(written, readFileSync(config, 'utf8'), 'debugfs wrote it');
}
