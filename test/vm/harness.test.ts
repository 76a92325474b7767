import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Resources, waitFor } from '../resources.ts';
import { testGuest } from './guest-initramfs.ts';
import { startVm } from './qemu.ts';

const mib = 1024 * 1024;

test('a guest under SeaBIOS sees its disks, a plugged one, its cable, and is heard only with its own nonce', async () => {
  await using resources = new Resources();
  const [virtio, ahci, plugged] = [
    resources.sparseFile(16 * mib),
    resources.sparseFile(8 * mib),
    resources.sparseFile(4 * mib),
  ];
  const vm = await startVm(resources, {
    name: 'harness-seabios',
    firmware: 'seabios',
    hotplugPorts: 1,
    kernel: await testGuest({ tools: ['sgdisk', 'lsblk'] }),
    disks: [
      { file: virtio, serial: 'VIRTIO' },
      { file: ahci, serial: 'AHCI', bus: 'ahci', cache: 'writeback' },
    ],
    fwCfg: {
      script: `
        printf hello-from-the-guest | dd of="$(disk_of VIRTIO)" bs=1 seek=1048576 conv=notrunc,fsync
        sgdisk -n 1:4096:0 "$(disk_of VIRTIO)"
        prove start "$(lsblk --json --bytes --output NAME,SIZE "$(disk_of VIRTIO)" /dev/sda | tr -d '\\n')"
        plugged=$(disk_of PLUGGED)
        prove plugged "{\\"sectors\\": $(cat /sys/class/block/\${plugged##*/}/size)}"
        while [ -e "$plugged" ]; do usleep 100000; done
        while [ "$(cat /sys/class/net/eth0/carrier)" = 1 ]; do usleep 100000; done
        prove unplugged '{}'`,
    },
    extraArgs: ['-no-reboot'],
  });
  assert.equal(await vm.status(), 'running');
  const start = await vm.waitForProof('start', { timeoutMs: 180_000 });
  const sizes = (start.facts as { blockdevices: { size: number; children?: unknown[] }[] }).blockdevices;
  assert.deepEqual(
    sizes.map((disk) => [disk.size, disk.children?.length]),
    [
      [8 * mib, undefined],
      [16 * mib, 1],
    ],
  );

  await vm.addDisk({ file: plugged, serial: 'PLUGGED', id: 'plugged' });
  assert.deepEqual((await vm.waitForProof('plugged', { timeoutMs: 60_000 })).facts, { sectors: 8192 });
  await vm.removeDevice('plugged', { timeoutMs: 60_000 });
  await vm.setLink(false);
  await vm.waitForProof('unplugged', { timeoutMs: 60_000 });
  await vm.waitForPoweroff({ timeoutMs: 60_000 });
  assert.equal(
    readFileSync(virtio)
      .subarray(mib, mib + 20)
      .toString(),
    'hello-from-the-guest',
  );
});

test('a guest under OVMF sees a 4096-byte NVMe disk, a faulty and a slow one, and its screen can be read', async () => {
  await using resources = new Resources();
  const faults = join(resources.tempDir(), 'faults');
  writeFileSync(faults, '[inject-error]\nevent = "none"\niotype = "write"\nsector = "2048"\nerrno = "5"\n');
  const vm = await startVm(resources, {
    name: 'harness-ovmf',
    firmware: 'ovmf',
    kernel: await testGuest(),
    disks: [
      { file: resources.sparseFile(16 * mib), serial: 'NVME', bus: 'nvme', sectorBytes: 4096 },
      { file: resources.sparseFile(16 * mib), serial: 'FAULTY', faultsFile: faults },
      { file: resources.sparseFile(16 * mib), serial: 'SLOW', throttle: { writeBytesPerSecond: 2 * mib } },
    ],
    fwCfg: {
      script: `
        nvme=$(disk_of NVME) faulty=$(disk_of FAULTY) slow=$(disk_of SLOW)
        good=1; dd if=/dev/zero of=$faulty bs=512 count=8 seek=4096 conv=fsync || good=0
        bad=0; dd if=/dev/zero of=$faulty bs=512 count=1 seek=2048 conv=fsync || bad=1
        began=$(cut -d. -f1 /proc/uptime)
        dd if=/dev/zero of=$slow bs=1048576 count=8 conv=fsync
        seconds=$(($(cut -d. -f1 /proc/uptime) - began))
        facts="\\"sector\\":$(cat /sys/class/block/\${nvme##*/}/queue/logical_block_size)"
        facts="$facts,\\"good\\":$good,\\"bad\\":$bad,\\"seconds\\":$seconds"
        prove disks "{$facts,\\"efi\\":$([ -d /sys/firmware/efi ] && echo true || echo false)}"
        while [ "$(cat /sys/class/net/eth0/carrier)" = 1 ]; do usleep 100000; done`,
    },
    extraArgs: ['-no-reboot'],
  });
  const { seconds, ...facts } = (await vm.waitForProof('disks', { timeoutMs: 180_000 })).facts;
  assert.deepEqual(facts, { sector: 4096, good: 1, bad: 1, efi: true });
  assert.ok(Number(seconds) >= 2, `8 MiB at 2 MiB/s took ${seconds} s`);
  const picture = join(vm.files.dir, 'screen.png');
  await vm.screenshot(picture);
  const bytes = await waitFor('the picture', () => readFileSync(picture), { timeoutMs: 5000 });
  assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
  await vm.setLink(false);
  await vm.waitForPoweroff({ timeoutMs: 60_000 });
});

test('a guest whose script fails is an error at once, with its exit code and the end of its console', async () => {
  await using resources = new Resources();
  const vm = await startVm(resources, {
    name: 'harness-failure',
    firmware: 'seabios',
    network: null,
    kernel: await testGuest(),
    fwCfg: { script: 'echo last words; sh -c "exit 42"; prove never {}' },
    extraArgs: ['-no-reboot'],
  });
  await assert.rejects(
    vm.waitForProof('never', { timeoutMs: 180_000 }),
    /guest harness-failure.*says that script failed: \{"exit_code":42\}.*console:.*last words/s,
  );
  assert.ok(vm.seconds < 150, `it took ${vm.seconds} s`);
});

test('a guest whose kernel panics and stays there is not waited for', async () => {
  await using resources = new Resources();
  const { file } = await testGuest();
  const vm = await startVm(resources, {
    name: 'harness-panic',
    firmware: 'seabios',
    network: null,
    kernel: { file, append: 'console=ttyS0,115200 panic=0' },
  });
  await assert.rejects(
    vm.waitForProof('never', { timeoutMs: 180_000 }),
    /guest harness-panic.*the kernel panicked before the proof of never.*console:.*Unable to mount root fs/s,
  );
  assert.equal(vm.hasEnded, false);
  assert.ok(vm.seconds < 150, `it took ${vm.seconds} s`);
});

test('a disk without a boot sector is not booted, and a guest that ends is not waited for', async () => {
  await using resources = new Resources();
  const vm = await startVm(resources, {
    name: 'harness-blank',
    firmware: 'seabios',
    network: null,
    disks: [{ file: resources.sparseFile(mib), bootIndex: 0 }],
  });
  await vm.waitForNothingToBoot({ timeoutMs: 60_000 });
  const proof = assert.rejects(
    vm.waitForProof('never', { timeoutMs: 180_000 }),
    /QEMU ended before the proof of never/,
  );
  await vm.quit();
  await proof;
  await assert.rejects(vm.waitForPoweroff({ timeoutMs: 5000 }), /another reason than power-off: host-qmp-quit/);
});
