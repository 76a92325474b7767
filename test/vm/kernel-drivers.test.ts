import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';
import { type Driver, driversOf } from '../../scripts/build/kernel/drivers.ts';
import { Resources } from '../resources.ts';
import { type TestGuest, testGuest } from './guest-initramfs.ts';
import { installerAsset } from './installer-assets.ts';
import { startVm } from './qemu.ts';

// What docs/hardware.md calls "run in QEMU" is what these tests boot: the kernel that is delivered, with an /init of ours.

const mib = 1024 * 1024;

/** Each driver in sysfs that has a device, under the name of its module. */
const boundDrivers = `
  bound() {
    for driver in /sys/bus/*/drivers/*; do
      for device in "$driver"/*; do
        [ -e "$device/uevent" ] && [ -L "$device" ] && echo "\${driver##*/}" && break
      done
    done | tr ' -' '__' | sort -u
  }`;

const replyMark = 'written through';

function guest(): Promise<TestGuest> {
  return testGuest({ kernelFile: installerAsset('vmlinuz') });
}

function withQemu(drivers: readonly Driver[]): { readonly module: string; readonly qemu: string }[] {
  return drivers.flatMap(({ module, qemu }) => (qemu === undefined ? [] : [{ module, qemu }]));
}

test('every network driver of docs/hardware.md that QEMU has a device for takes a lease', async () => {
  await using resources = new Resources();
  const cards = withQemu([...driversOf('network'), ...driversOf('virtual network'), ...driversOf('USB network')]);
  assert.ok(cards.length >= 8);
  const mac = (index: number): string => `52:54:00:00:01:${index.toString(16).padStart(2, '0')}`;
  const vm = await startVm(resources, {
    name: 'network-drivers',
    firmware: 'seabios',
    kernel: await guest(),
    network: null,
    fwCfg: {
      script: `
        cat >/lease <<'END'
#!/bin/sh
[ "$1" = bound ] && echo "$ip" >"/tmp/lease.$interface"
exit 0
END
        chmod 755 /lease
        # The last adapter appears on USB.
        tries=0
        while [ "$(ls -d /sys/class/net/*/device | wc -l)" -lt ${cards.length} ] && [ "$tries" -lt 100 ]; do
          tries=$((tries + 1)); usleep 100000
        done
        for path in /sys/class/net/*; do
          link=\${path##*/}
          [ -e "$path/device/driver" ] || continue
          ip addr flush dev "$link"
          ip link set "$link" up
          udhcpc -i "$link" -n -q -f -t 10 -T 2 -s /lease >/dev/console 2>&1 &
        done
        wait
        list=
        for path in /sys/class/net/*; do
          link=\${path##*/}
          [ -e "$path/device/driver" ] || continue
          driver=$(readlink "$path/device/driver")
          lease=$(cat "/tmp/lease.$link" 2>/dev/null || true)
          list="$list,{\\"driver\\":\\"\${driver##*/}\\",\\"mac\\":\\"$(cat "$path/address")\\",\\"lease\\":\\"$lease\\"}"
        done
        prove leases "{\\"links\\":[\${list#,}]}"`,
    },
    extraArgs: [
      '-no-reboot',
      ...['-device', 'qemu-xhci,id=xhci'],
      ...cards.flatMap(({ qemu }, index) => [
        ...['-netdev', `user,id=lan${index},net=10.20.${index}.0/24,dhcpstart=10.20.${index}.9,restrict=on`],
        ...[
          '-device',
          `${qemu},netdev=lan${index},mac=${mac(index)}${qemu.startsWith('usb') ? ',bus=xhci.0' : ',romfile='}`,
        ],
      ]),
    ],
  });
  const { facts } = await vm.waitForProof('leases', { timeoutMs: 240_000 });
  const shape = z.array(z.object({ driver: z.string(), mac: z.string(), lease: z.string() }));
  const links = shape.parse(facts['links']).sort((one, other) => (one.mac < other.mac ? -1 : 1));
  assert.deepEqual(
    links,
    cards.map(({ module }, index) => ({ driver: module, mac: mac(index), lease: `10.20.${index}.9` })),
  );
  await vm.waitForPoweroff({ timeoutMs: 60_000 });
});

/** A disk on the driver's controller; `drive` is a block device that is there. */
function storageDevice({ qemu }: { readonly qemu: string }, drive: string): string[] {
  const id = `on-${drive}`;
  const device = (...parts: string[]): string[] => ['-device', parts.join(',')];
  switch (qemu) {
    case 'virtio-blk-pci':
      return device(qemu, `drive=${drive}`);
    case 'nvme':
      return device(qemu, `drive=${drive}`, `serial=${drive}`);
    case 'ich9-ahci':
      return [...device(qemu, `id=${id}`), ...device('ide-hd', `bus=${id}.0`, `drive=${drive}`)];
    case 'usb-storage':
      return device(qemu, 'bus=ehci.0', `drive=${drive}`);
    case 'usb-uas':
      return [...device(qemu, `id=${id}`, 'bus=xhci.0'), ...device('scsi-hd', `bus=${id}.0`, `drive=${drive}`)];
    case 'sdhci-pci':
      return [...device(qemu), ...device('sd-card', `drive=${drive}`)];
    default:
      return [...device(qemu, `id=${id}`), ...device('scsi-hd', `bus=${id}.0`, `drive=${drive}`)];
  }
}

const usbControllers = ['qemu-xhci,id=xhci', 'usb-ehci,id=ehci', 'piix3-usb-uhci,id=uhci', 'pci-ohci,id=ohci'];

test('every storage and platform driver that QEMU has a device for is bound, and disks are read and written', async () => {
  await using resources = new Resources();
  const controllers = withQemu([...driversOf('storage'), ...driversOf('virtual storage')]);
  assert.ok(controllers.length >= 10);
  const disks = controllers.map((driver, index) => {
    const file = resources.sparseFile(16 * mib);
    writeFileSync(file, `durantic-mark ${driver.module} end`, { flag: 'r+' });
    return { ...driver, file, drive: `drive${index}` };
  });
  const vm = await startVm(resources, {
    name: 'storage-drivers',
    firmware: 'seabios',
    kernel: await guest(),
    network: null,
    fwCfg: {
      script: `
        ${boundDrivers}
        # sysfs names the drivers of a disk from the disk up to its bus.
        drivers_of() {
          path=$(readlink -f "$1")
          while [ "$path" != /sys/devices ] && [ "$path" != / ]; do
            [ -L "$path/driver" ] && basename "$(readlink "$path/driver")"
            path=$(dirname "$path")
          done | tr ' -' '__' | tr '\\n' ' '
        }
        seen= tries=0
        while [ "$tries" -lt 150 ]; do
          for path in /sys/class/block/*; do
            disk=\${path##*/}
            case "$disk $seen" in loop*|ram*|md*) continue ;; "$disk "*" $disk "*) continue ;; esac
            head=$(dd if="/dev/$disk" bs=512 count=1 2>/dev/null | head -c 60 | tr -d '\\0')
            case $head in durantic-mark\\ *) ;; *) continue ;; esac
            seen="$seen $disk "
            printf '${replyMark} %s' "$(drivers_of "$path")" | dd of="/dev/$disk" bs=512 seek=2048 conv=notrunc,fsync
          done
          [ "$(echo "$seen" | wc -w)" = ${disks.length} ] && break
          tries=$((tries + 1)); usleep 100000
        done
        prove bound "{\\"disks\\": \\"$seen\\", \\"drivers\\": \\"$(bound | tr '\\n' ' ')\\"}"`,
    },
    extraArgs: [
      '-no-reboot',
      ...usbControllers.flatMap((controller) => ['-device', controller]),
      ...['-device', 'usb-kbd,bus=uhci.0', '-device', 'usb-kbd,bus=ohci.0', '-device', 'i6300esb'],
      ...['-device', 'ipmi-bmc-sim,id=bmc', '-device', 'isa-ipmi-kcs,bmc=bmc'],
      ...disks.flatMap((disk) => [
        ...['-drive', `if=none,id=${disk.drive},file=${disk.file},format=raw,cache=unsafe`],
        ...storageDevice(disk, disk.drive),
      ]),
    ],
  });
  const { facts } = await vm.waitForProof('bound', { timeoutMs: 240_000 });
  await vm.waitForPoweroff({ timeoutMs: 60_000 });
  const replies = disks.map(({ module, file }) => {
    const reply = readFileSync(file)
      .subarray(mib, mib + 512)
      .toString()
      .replaceAll('\0', '');
    return { module, reply };
  });
  assert.deepEqual(
    replies.filter(({ module, reply }) => !reply.startsWith(replyMark) || !reply.split(' ').includes(module)),
    [],
  );
  const bound = z.string().parse(facts['drivers']).split(' ');
  const missing = withQemu(driversOf('platform')).filter(({ module }) => !bound.includes(sysfsName(module)));
  assert.deepEqual(missing, [], `bound are: ${bound.join(' ')}`);
});

/** Some drivers have another name in sysfs than their module. */
function sysfsName(module: string): string {
  return { i6300esb: 'i6300ESB_timer' }[module] ?? module;
}

test('this kernel does not trust the time stamp counters of emulated processors, and so leaves its clock unpatched', async () => {
  await using resources = new Resources();
  const vm = await startVm(resources, {
    name: 'time-stamp-counters',
    firmware: 'seabios',
    network: null,
    kernel: await guest(),
    fwCfg: {
      script: `
        clocks=$(cat /sys/devices/system/clocksource/clocksource0/available_clocksource)
        prove clocks "{\\"processors\\": $(grep -c ^processor /proc/cpuinfo), \\"clocks\\": \\"$clocks\\"}"`,
    },
    extraArgs: ['-no-reboot'],
  });
  const { facts } = await vm.waitForProof('clocks', { timeoutMs: 180_000 });
  assert.equal(facts['processors'], 2);
  const clocks = String(facts['clocks']).trim().split(' ');
  // See `processors` in qemu-arguments.ts.
  assert.ok(clocks.includes('hpet') && !clocks.some((clock) => clock.startsWith('tsc')), clocks.join(', '));
  await vm.waitForPoweroff({ timeoutMs: 60_000 });
});
