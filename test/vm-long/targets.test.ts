import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { smallestSystem, writeBootImage } from '../builders/boot-image.ts';
import { makeSmallBootDisk } from '../builders/small-boot-disk.ts';
import { Resources, waitFor } from '../resources.ts';
import { findBytes } from '../vm/find-on-disk.ts';
import { InstallLab } from '../vm/install-lab.ts';
import { checkTables } from '../vm/installed-guest.ts';
import { waitForScreen } from '../vm/wait-for-screen.ts';

const gib = 1024 ** 3;
const marker = 'a text that stands on disks of this image only';

/** The place of a device of QEMU's as udev would name it. */
function pciPlace(reply: unknown, id: string): string {
  const [bus] = reply as { devices: { qdev_id: string; slot: number; function: number }[] }[];
  const device = bus?.devices.find(({ qdev_id }) => qdev_id === id);
  if (device === undefined) throw new Error(`QEMU has no PCI device ${id}`);
  return `pci-0000:00:${device.slot.toString(16).padStart(2, '0')}.${device.function}`;
}

test('F22 F28 without udev serial, wwn, by-id and by-path each mean their disk and no other; a failed run leaves the machine ready for the next', async () => {
  await using resources = new Resources();
  const lab = await InstallLab.create(resources);
  const disk = await makeSmallBootDisk(resources);
  const system = [...smallestSystem, { name: 'etc/marker', data: marker }];
  const withoutKernel = system.filter(({ name }) => name !== 'boot/vmlinuz-1');
  await lab.push((await writeBootImage(resources, { disk, system })).reference, 'small:good');
  await lab.push((await writeBootImage(resources, { disk, system: withoutKernel })).reference, 'small:no-kernel');
  const files = Array.from({ length: 4 }, () => resources.sparseFile(2 * gib));
  const [virtio = '', scsi = '', ahci = '', nvme = ''] = files;
  const guest = await lab.startInstaller({
    ...{ medium: 'direct', firmware: 'seabios' },
    disks: [
      { file: virtio, bus: 'virtio', serial: 'SN-VIRTIO' },
      { file: scsi, bus: 'scsi', serial: 'SN-SCSI', wwn: '0x5000c50015ea71ad' },
      { file: ahci, bus: 'ahci', serial: 'SN-AHCI' },
      { file: nvme, bus: 'nvme', serial: 'SN-NVME', id: 'the-nvme' },
    ],
    extraArgs: ['-no-reboot'],
  });
  const { vm } = guest;
  const { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware?.disks.length === 4, {
    timeoutMs: 240_000,
  });
  const place = pciPlace(await vm.execute('query-pci'), 'the-nvme');
  const targets: readonly [string, string][] = [
    ['serial:SN-VIRTIO', virtio],
    ['wwn:0x5000c50015ea71ad', scsi],
    ['/dev/disk/by-id/ata-QEMU_HARDDISK_SN-AHCI', ahci],
    [`/dev/disk/by-path/${place}-nvme-1`, nvme],
  ];
  const written = new Set<string>();
  for (const [target, file] of targets) {
    const before = new Map(files.map((each) => [each, statSync(each).mtimeMs]));
    const order = { image: 'small:no-kernel', settings: { target_disk: target, inject_agent: false } };
    const provisionUuid = await lab.provision(machineUuid, order);
    const run = await lab.waitForRun(
      vm,
      { machineUuid, provisionUuid },
      { what: 'error', is: ({ status }) => status === 'error', timeoutMs: 240_000 },
    );
    assert.deepEqual([run.error_code, run.disk_state], ['boot_path_invalid', 'partial'], target);
    await waitForScreen(vm, /boot_path_invalid/);
    written.add(file);
    for (const each of files) {
      const isTarget = each === file;
      assert.equal(statSync(each).mtimeMs !== before.get(each), isTarget, `${target}: what was written to`);
      assert.equal(
        (await findBytes(each, { marker })).length > 0,
        written.has(each),
        `${target}: what holds the image`,
      );
    }
    console.log(`${target}: ${vm.seconds.toFixed(1)} s after power-on`);
  }

  const provisionUuid = await lab.provision(machineUuid, {
    image: 'small:good',
    settings: { target_disk: 'size>=1G,transport=nvme,smallest', inject_agent: false },
  });
  const run = { machineUuid, provisionUuid };
  const isOver = ({ status }: { status: string }): boolean => status === 'completed';
  const { unconfirmed } = await lab.waitForRun(vm, run, { what: 'completed', is: isOver, timeoutMs: 240_000 });
  assert.equal(unconfirmed, true);
  await waitFor('the restart', () => vm.hasEnded, { timeoutMs: 60_000 });
  assert.equal(vm.endReason, 'guest-reset');
  await checkTables(nvme);
  console.log(`installed: ${vm.seconds.toFixed(1)} s after power-on`);
});
