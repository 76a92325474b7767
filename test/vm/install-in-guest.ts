import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resources } from '../resources.ts';
import { unpackBundle } from './debian-image.ts';
import { provisionTools, testGuest } from './guest-initramfs.ts';
import { startVm } from './qemu.ts';
import type { VmDisk } from './qemu-arguments.ts';

export interface GuestInstall {
  /** As the guest reaches it. */
  readonly reference: string;
  readonly disk: Omit<VmDisk, 'serial'>;
  readonly userData: string;
}

/**
 * Runs `durantic provision` with the shipped bundle inside a test guest, onto a disk of that guest. Returns when the
 * guest is off; gives the seconds that the installation took by the guest's clock.
 */
export async function installInGuest(
  resources: Resources,
  install: GuestInstall,
  options: { readonly timeoutMs: number },
): Promise<{ readonly seconds: number }> {
  const bundleDir = await unpackBundle(resources);
  const userData = join(resources.tempDir(), 'user-data');
  writeFileSync(userData, install.userData);
  const vm = await startVm(resources, {
    name: 'install',
    firmware: 'seabios',
    memoryMib: 2048,
    kernel: await testGuest({ tools: provisionTools, bundleDir }),
    disks: [{ ...install.disk, serial: 'TARGET' }],
    fwCfg: {
      'user-data': { file: userData },
      script: `
        guest_input user-data >/user-data
        began=$(cut -d. -f1 /proc/uptime)
        code=0
        /opt/durantic/durantic provision --image ${install.reference} --plain-http --disk "$(disk_of TARGET)" \\
          --user-data /user-data --boot none --yes --json >/events || code=$?
        seconds=$(($(cut -d. -f1 /proc/uptime) - began))
        grep -v '"state":"progress"' /events
        [ "$code" = 0 ] || exit "$code"
        prove install "{\\"seconds\\":$seconds,\\"last\\":$(tail -n 1 /events)}"`,
    },
    extraArgs: ['-no-reboot'],
  });
  const { facts } = await vm.waitForProof('install', options);
  const last = facts['last'] as { state?: unknown; percent?: unknown; exit_code?: unknown };
  if (last.state !== 'succeeded' || last.percent !== 100 || last.exit_code !== 0) {
    throw new Error(`provision ended with ${JSON.stringify(last)}`);
  }
  await vm.waitForPoweroff({ timeoutMs: 60_000 });
  return { seconds: Number(facts['seconds']) };
}
