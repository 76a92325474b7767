import type { Resources } from '../../resources.ts';
import { installerAsset } from '../installer-assets.ts';
import { type InstallerOverlay, writeOverlay } from '../installer-overlay.ts';
import { startVm, type Vm } from '../qemu.ts';
import { screenText } from '../screen-text.ts';

export const timeoutMs = 120_000;

export interface SupervisedGuestOptions {
  readonly name: string;
  readonly overlay: InstallerOverlay;
  readonly append?: string;
  readonly extraArgs?: readonly string[];
  /** Of the host, leads to the guest's remote shell; default: no network. */
  readonly sshPort?: number;
}

/** A machine that boots the installer and has nobody to talk to. */
export async function startSupervisedGuest(resources: Resources, options: SupervisedGuestOptions): Promise<Vm> {
  const nonce = options.name;
  return await startVm(resources, {
    ...{ name: options.name, nonce, firmware: 'seabios' },
    network: options.sshPort === undefined ? null : { hostForwards: [{ hostPort: options.sshPort, guestPort: 22 }] },
    kernel: {
      file: installerAsset('vmlinuz'),
      append: options.append ?? '',
      initrd: writeOverlay(resources, options.overlay, nonce),
    },
    extraArgs: ['-no-reboot', ...(options.extraArgs ?? [])],
  });
}

/** Waits for text on screen and serial line alike; a row of the screen holds 80 characters. */
export async function waitForBoth(vm: Vm, pattern: RegExp): Promise<void> {
  await vm.waitForConsole(pattern, { timeoutMs });
  const isOnScreen = async (): Promise<boolean> => pattern.test((await screenText(vm)).replaceAll('\n', ''));
  await vm.waitUntil(`${pattern} on the screen`, isOnScreen, { timeoutMs: 30_000 });
}

/** A program in the installer's place: the hook lays it over the real one and ends that. */
export function inPlaceOfInstaller(program: string): string {
  return `
    cat >/run/in-its-place <<'END'
#!/bin/sh
${program}
END
    chmod 755 /run/in-its-place
    mount --bind /run/in-its-place /usr/lib/durantic/durantic
    until [ -s /run/durantic/installer.pid ]; do usleep 100000; done
    # It may have been the first to start; one that has just ended leaves no number.
    pid=$(cat /run/durantic/installer.pid 2>/dev/null) || true
    case $(readlink "/proc/$pid/exe") in */durantic) kill -9 "$pid" || true ;; esac`;
}
