import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootEntryLabel } from '../../../agent/boot/firmware-boot.ts';
import { makeKeyPair } from '../../../agent/identity/make-identity.ts';
import { carriedArchive } from '../../../agent/reentry/carried-state.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { cpioChunks, withParents } from '../../../core/cpio/cpio.ts';
import { Resources } from '../../resources.ts';
import { installerAsset } from '../installer-assets.ts';
import { startVm } from '../qemu.ts';

const machineUuid = '11111111-1111-4111-8111-111111111111';
const initrd = 'initrd=\\EFI\\durantic\\state.img';

/**
 * Runs in the installer. In the first start, made by the firmware's shell, it does to the firmware what an installed system
 * does (agent/reentry/firmware-entries.ts); in the second it says what it finds.
 */
const hook = `#!/bin/sh
exec >/dev/ttyS0 2>&1
if ! grep -q durantic.vlan=7 /proc/cmdline; then
  efibootmgr --create-only --disk /dev/vda --part 1 --loader '\\EFI\\durantic\\vmlinuz.efi' --label '${bootEntryLabel}' \\
    --unicode '${initrd} console=ttyS0,115200 durantic.vlan=7' >/dev/null
  number=$(efibootmgr --verbose | sed -n 's/^Boot\\([0-9A-F]*\\)\\* ${bootEntryLabel}.*/\\1/p')
  efibootmgr --bootnext "$number" >/dev/null
  echo "FIRST told to start $number"
  reboot -f
fi
echo "SECOND cmdline: $(cat /proc/cmdline)"
echo "SECOND carried: $(ls /durantic/carried | tr '\\n' ' ')$(stat -c %a /durantic/carried/identity.json)"
echo "SECOND machine: $(grep -o ${machineUuid} /durantic/carried/identity.json)"
echo "SECOND next: $(efibootmgr | grep -c BootNext)"
echo "SECOND end"
poweroff -f
`;

/** A disk whose EFI system partition has the installer and the carried state, and a script for the firmware's shell. */
async function diskWithInstaller(resources: Resources): Promise<string> {
  const dir = resources.tempDir();
  const carried = carriedArchive({
    identity: { machine_uuid: machineUuid, ...makeKeyPair() },
    commands: { entries: [], newest: {} },
  });
  const file = { path: 'durantic/hook', kind: 'file', isExecutable: true, source: Buffer.from(hook) } as const;
  writeFileSync(join(dir, 'state.img'), Buffer.concat([carried, ...cpioChunks(withParents([file]))]));
  const line = `fs0:\\EFI\\durantic\\vmlinuz.efi ${initrd} console=ttyS0,115200`;
  writeFileSync(join(dir, 'startup.nsh'), `${line}\r\n`);
  const disk = resources.sparseFile(220 * 1024 * 1024);
  await runCommand('sgdisk', ['-n', '1:2048:+200M', '-t', '1:ef00', disk]);
  const esp = `${disk}@@1M`;
  await runCommand('mkfs.vfat', ['-F', '32', '--offset', '2048', disk, String(200 * 1024)]);
  await runCommand('mmd', ['-i', esp, '::/EFI', '::/EFI/durantic']);
  for (const [from, to] of [
    [installerAsset('vmlinuz'), '/EFI/durantic/vmlinuz.efi'],
    [join(dir, 'state.img'), '/EFI/durantic/state.img'],
    [join(dir, 'startup.nsh'), '/startup.nsh'],
  ] as const) {
    await runCommand('mcopy', ['-i', esp, from, `::${to}`]);
  }
  return disk;
}

test("the firmware starts the installer's kernel once, with its command line and the carried state", async () => {
  await using resources = new Resources();
  const vm = await startVm(resources, {
    ...{ name: 'uefi-once', firmware: 'ovmf', memoryMib: 1024, network: null },
    disks: [{ file: await diskWithInstaller(resources) }],
  });
  await vm.waitForConsole(/FIRST told to start [0-9A-F]{4}/, { timeoutMs: 180_000 });
  await vm.waitForConsole(/SECOND end/, { timeoutMs: 180_000 });
  const said = (what: string): string => new RegExp(`SECOND ${what}: (.*)`).exec(vm.console)?.[1]?.trim() ?? '';
  assert.match(said('cmdline'), /initrd=\\EFI\\durantic\\state\.img console=ttyS0,115200 durantic\.vlan=7$/);
  assert.equal(said('carried'), 'commands.json identity.json 600');
  assert.equal(said('machine'), machineUuid);
  assert.equal(said('next'), '0', 'the start after this one is as it was before');
  await vm.waitForPoweroff({ timeoutMs: 30_000 });
});
