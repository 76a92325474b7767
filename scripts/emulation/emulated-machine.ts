import type { MediumParts } from '../../test/vm/installer-media.ts';
import type { VmNetwork, VmOptions } from '../../test/vm/qemu-arguments.ts';
import type { VmDisk } from '../../test/vm/vm-disk.ts';
import type { EmulationFlags } from './emulation-flags.ts';
import type { EmulationState } from './emulation-state.ts';

export interface EmulatedMachine {
  readonly flags: EmulationFlags;
  readonly state: EmulationState;
  /** Folder of the guest's files. */
  readonly dir: string;
  readonly disks: readonly VmDisk[];
  /** Null: the machine boots from its own first disk. */
  readonly medium: MediumParts | null;
  /** Whether somebody can type in the terminal that this runs in. */
  readonly isTerminal: boolean;
}

/** The guest that flags, state and medium describe. */
export function emulatedMachine({ flags, state, dir, disks, medium, isTerminal }: EmulatedMachine): VmOptions {
  const { smbiosUuid: uuid, serial, boardSerial, macs } = state.identity;
  return {
    name: 'run-qemu',
    dir,
    firmware: flags.firmware,
    memoryMib: flags.memoryMib,
    cpus: flags.cpus,
    ...(flags.hasKvm ? { accelerator: 'kvm' } : {}),
    smbios: { uuid, serial, boardSerial, vendor: 'Durantic', product: 'run-qemu' },
    ...viewOf(flags, isTerminal),
    disks: [
      ...(medium?.disk === undefined ? [] : [medium.disk]),
      ...disks.map((disk, index) => ({ ...disk, bootIndex: index + (medium === null ? 0 : 1) })),
    ],
    network: flags.nics.map((model, index) => ({
      model,
      mac: macs[index] ?? '',
      ...(index === 0 ? medium?.network : elsewhere(index)),
    })),
    ...(medium?.kernel === undefined ? {} : { kernel: medium.kernel }),
    // A reboot of the installer ends QEMU, which otherwise would boot the medium again; the disk is booted next.
    extraArgs: medium === null ? [] : ['-no-reboot'],
  };
}

function viewOf({ view }: EmulationFlags, isTerminal: boolean): Partial<VmOptions> {
  if (view === 'serial') return { isConsoleOnStdio: isTerminal };
  return { display: view === 'display' ? 'gtk' : `vnc=127.0.0.1:${view.vnc}` };
}

/** A network of its own with DHCP, from which nothing is reached. */
function elsewhere(index: number): Partial<VmNetwork> {
  return { restrict: true, extra: `net=10.0.${index + 2}.0/24` };
}
