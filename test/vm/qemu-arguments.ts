import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { diskArguments, type VmDisk } from './vm-disk.ts';
import { escaped, networkArguments, type VmNetwork } from './vm-network.ts';

export type { VmDisk, VmNetwork };

/**
 * `ovmf-secure`: Secure Boot is on, and the one key that it knows is that of `secureBootKey` (secure-boot-key.ts). A kernel
 * that QEMU hands over (`-kernel`) is started all the same: what LoadImage refuses, OVMF starts as a boot loader would.
 */
export type Firmware = 'seabios' | 'ovmf' | 'ovmf-secure';

export interface VmOptions {
  /** Names the guest in errors and its files. */
  readonly name: string;
  readonly firmware: Firmware;
  readonly memoryMib?: number;
  readonly cpus?: number;
  readonly disks?: readonly VmDisk[];
  /** `null`: no card. Default: one virtio card, user network. */
  readonly network?: VmNetwork | readonly VmNetwork[] | null;
  readonly kernel?: { readonly file: string; readonly initrd?: string; readonly append: string };
  /** fw_cfg entries below `opt/durantic/`: text, or a file of the host. */
  readonly fwCfg?: Readonly<Record<string, string | { readonly file: string }>>;
  /** Folder of the guest's files, among them the variables of its firmware; default: a temporary one. */
  readonly dir?: string;
  /** `kvm`: for a developer's own guests only; tests emulate: a suite that uses it where it works has two meanings. */
  readonly accelerator?: 'tcg' | 'kvm';
  /** Default: a new one; one that is given must be as hard to guess. */
  readonly nonce?: string;
  /** What the machine says of itself in SMBIOS; what is left out is QEMU's own. */
  readonly smbios?: Smbios;
  /** The hardware clock at power-on: `utc` (default), or a time in UTC such as `1970-01-01T00:00:00`. */
  readonly clock?: string;
  /**
   * `hidden` (default): a VGA card whose picture only `screenshot` sees; `absent`: none, as in a headless machine; else
   * what `-display` is told, such as `gtk` or `vnc=127.0.0.1:0`.
   */
  readonly display?: string;
  /** What is at ttyS0, ttyS1, …; default: the console alone. The second one is only logged. */
  readonly serialPorts?: readonly ('console' | 'second' | 'none')[];
  /** True: the console is this process's stdin and stdout too, where ^C ends the guest. */
  readonly isConsoleOnStdio?: boolean;
  /** The guest does not run before QMP `cont`: time to pull cables. */
  readonly isPaused?: boolean;
  /** Network namespace that QEMU runs in, for tap devices. */
  readonly netns?: string;
  /** PCI Express ports `hotplug0`… that `device_add` can take as `bus`. */
  readonly hotplugPorts?: number;
  readonly extraArgs?: readonly string[];
}

export interface Smbios {
  readonly uuid?: string;
  readonly serial?: string;
  readonly boardSerial?: string;
  readonly vendor?: string;
  readonly product?: string;
}

/** Paths of a running guest, all in one folder. */
export interface VmFiles {
  readonly dir: string;
  readonly consoleLog: string;
  readonly consoleSocket: string;
  /** What the guest says at its second serial port. */
  readonly secondConsoleLog: string;
  /** What SeaBIOS says about itself (debug port 0x402); empty under Debian's OVMF, which speaks on the console. */
  readonly firmwareLog: string;
  readonly proofFile: string;
  readonly qmpSocket: string;
  readonly stderrLog: string;
}

export function vmFiles(dir: string): VmFiles {
  return {
    dir,
    consoleLog: join(dir, 'console.log'),
    consoleSocket: join(dir, 'console.sock'),
    secondConsoleLog: join(dir, 'console-2.log'),
    firmwareLog: join(dir, 'firmware.log'),
    proofFile: join(dir, 'proof.jsonl'),
    qmpSocket: join(dir, 'qmp.sock'),
    stderrLog: join(dir, 'qemu.stderr'),
  };
}

/** The arguments of `qemu-system-x86_64`. */
export function qemuArguments(options: VmOptions, files: VmFiles, nonce: string): string[] {
  return [
    ...['-nodefaults', '-no-user-config', '-name', options.name],
    ...machineArguments(options.firmware),
    ...['-accel', options.accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi', '-cpu', 'max'],
    ...['-smp', processors(options.cpus ?? 2), '-m', String(options.memoryMib ?? 1024)],
    ...displayArguments(options.display ?? 'hidden'),
    ...['-boot', 'menu=off,strict=on', '-rtc', `base=${options.clock ?? 'utc'}`, '-device', 'virtio-rng-pci'],
    ...(options.isPaused ? ['-S'] : []),
    ...smbiosArguments(options.smbios ?? {}),
    ...['-qmp', `unix:${files.qmpSocket},server=on,wait=off`],
    ...serialArguments(options, files),
    ...['-chardev', `file,id=firmware,path=${files.firmwareLog}`],
    ...['-device', 'isa-debugcon,iobase=0x402,chardev=firmware'],
    ...['-device', 'virtio-serial-pci', '-chardev', `file,id=proof,path=${files.proofFile}`],
    ...['-device', 'virtserialport,chardev=proof,name=durantic.proof'],
    ...firmwareArguments(options.firmware, files.dir),
    ...fwCfgArguments({ nonce, ...options.fwCfg }),
    ...kernelArguments(options.kernel),
    ...(options.disks ?? []).flatMap((disk, index) => diskArguments(disk, index)),
    ...networksOf(options.network).flatMap((network, index) => networkArguments(network, index)),
    ...Array.from({ length: options.hotplugPorts ?? 0 }, (_, port) => [
      '-device',
      `pcie-root-port,id=hotplug${port},chassis=${port + 1},slot=${port + 1}`,
    ]).flat(),
    ...(options.extraArgs ?? []),
  ];
}

/**
 * Each processor in a socket of its own. Linux then takes their time stamp counters for unsynchronized, and does not
 * patch its hottest code (`sched_clock_cpu`) while the other processor runs it, which QEMU 7.2 emulates wrongly: a guest
 * in fifty ended in an `int3` oops when the host was busy (docs/testing.md).
 */
function processors(count: number): string {
  return `${count},sockets=${count}`;
}

/** Code and fresh variables. Those of Debian's own "snakeoil" key have it as PK, KEK and db, and Secure Boot on. */
const ovmfFiles = {
  ovmf: [
    ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
    ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
  ],
  'ovmf-secure': [['/usr/share/OVMF/OVMF_CODE_4M.secboot.fd', '/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd']],
} as const;

// Firmware that guards its variables needs system management mode, and flash that only this mode writes (OVMF's README,
// "SMM support"); before edk2 202305 it does not start where it could sleep (S3Verification).
function machineArguments(firmware: Firmware): string[] {
  if (firmware !== 'ovmf-secure') return ['-machine', 'q35'];
  const flash = ['-global', 'driver=cfi.pflash01,property=secure,value=on'];
  return ['-machine', 'q35,smm=on', ...flash, '-global', 'ICH9-LPC.disable_s3=1'];
}

/** SeaBIOS is QEMU's default; OVMF gets a fresh variable store of its own in `dir`. */
function firmwareArguments(firmware: Firmware, dir: string): string[] {
  if (firmware === 'seabios') return [];
  const found = ovmfFiles[firmware].find(([code]) => existsSync(code));
  if (found === undefined) throw new Error(`there are no files of ${firmware} (Debian package ovmf)`);
  const vars = join(dir, 'vars.fd');
  if (!existsSync(vars)) copyFileSync(found[1], vars);
  return [
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${found[0]}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${vars}`],
  ];
}

function fwCfgArguments(entries: Readonly<Record<string, string | { readonly file: string }>>): string[] {
  return Object.entries(entries).flatMap(([name, value]) => [
    '-fw_cfg',
    `name=opt/durantic/${name},${typeof value === 'string' ? `string=${escaped(value)}` : `file=${escaped(value.file)}`}`,
  ]);
}

function kernelArguments(kernel: VmOptions['kernel']): string[] {
  if (kernel === undefined) return [];
  const initrd = kernel.initrd === undefined ? [] : ['-initrd', kernel.initrd];
  return ['-kernel', kernel.file, ...initrd, '-append', kernel.append];
}

// GRUB and screendump want a display device also where nobody looks at a window.
function displayArguments(display: string): string[] {
  if (display === 'absent') return ['-display', 'none'];
  return ['-display', display === 'hidden' ? 'none' : display, '-device', 'VGA'];
}

function serialArguments(options: VmOptions, files: VmFiles): string[] {
  const ports = options.serialPorts ?? ['console'];
  const way = options.isConsoleOnStdio ? 'stdio' : 'socket';
  const place = options.isConsoleOnStdio ? 'signal=on' : `path=${files.consoleSocket},server=on,wait=off`;
  const chardevs = ['-chardev', `${way},id=console,${place},logfile=${files.consoleLog}`];
  if (ports.includes('second')) chardevs.push('-chardev', `file,id=second,path=${files.secondConsoleLog}`);
  return [...chardevs, ...ports.flatMap((port) => ['-serial', port === 'none' ? 'none' : `chardev:${port}`])];
}

function smbiosArguments({ uuid, serial, boardSerial, vendor, product }: Smbios): string[] {
  const system = { uuid, serial, manufacturer: vendor, product };
  return [...smbiosTable(1, system), ...smbiosTable(2, { serial: boardSerial })];
}

function smbiosTable(type: number, fields: Readonly<Record<string, string | undefined>>): string[] {
  const given = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${escaped(value)}`],
  );
  return given.length === 0 ? [] : ['-smbios', [`type=${type}`, ...given].join(',')];
}

/** The cards in the order in which QEMU numbers them. */
export function networksOf(network: VmOptions['network']): readonly VmNetwork[] {
  if (network === null) return [];
  return [network ?? {}].flat();
}
