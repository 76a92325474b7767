import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';

export type Firmware = 'seabios' | 'ovmf';

/** One disk of a guest: what the guest sees, and what lies between it and the host's file. */
export interface VmDisk {
  readonly file: string;
  /** Default `virtio`. */
  readonly bus?: 'virtio' | 'nvme' | 'ahci';
  /** Default `raw`. */
  readonly format?: 'raw' | 'qcow2';
  readonly serial?: string;
  readonly sectorBytes?: 512 | 4096;
  readonly readOnly?: boolean;
  /** Order in which the firmware tries it, from 0; without it the firmware does not boot it first. */
  readonly bootIndex?: number;
  /**
   * Log file (created, or emptied) that gets every write and flush in order, in the format of dm-log-writes.
   * The guest then has no WRITE ZEROES: QEMU's driver reserves the log space of a zero write only after its header
   * is written, so that a second request in between would land on it (block/blklogwrites.c). Discards are logged.
   */
  readonly writeLogFile?: string;
  /** A blkdebug configuration file (`[inject-error]` sections, docs/devel/blkdebug.txt of QEMU). */
  readonly faultsFile?: string;
  readonly throttle?: { readonly writeBytesPerSecond?: number; readonly readBytesPerSecond?: number };
  /** What a flush of the guest means on the host. Default `unsafe`: a test's disk need not survive the host. */
  readonly cache?: 'unsafe' | 'writeback';
  /** False: the guest sees a device without discard. */
  readonly canDiscard?: boolean;
  /** Id in QMP (`device_del`); default `diskN`. */
  readonly id?: string;
}

export interface VmNetwork {
  /** True: no packet leaves QEMU; the guest still gets an address by DHCP. */
  readonly restrict?: boolean;
  readonly hostForwards?: readonly { readonly hostPort: number; readonly guestPort: number }[];
  /** Guest address and port → command on the host whose stdin and stdout are the connection. */
  readonly guestForwards?: readonly { readonly address: string; readonly port: number; readonly command: string }[];
  readonly model?: 'virtio-net-pci' | 'e1000';
  readonly mac?: string;
  /** Keeps the card's boot ROM, for network boot; otherwise the firmware never tries the network. */
  readonly hasBootRom?: boolean;
  /** Further parameters of `-netdev user`, such as `tftp=DIR,bootfile=NAME`. */
  readonly extra?: string;
}

export interface VmOptions {
  /** Names the guest in errors and its files. */
  readonly name: string;
  readonly firmware: Firmware;
  readonly memoryMib?: number;
  readonly cpus?: number;
  readonly disks?: readonly VmDisk[];
  /** `null`: no card. Default: one virtio card, user network. */
  readonly network?: VmNetwork | null;
  readonly kernel?: { readonly file: string; readonly initrd?: string; readonly append: string };
  /** fw_cfg entries below `opt/durantic/`: text, or a file of the host. */
  readonly fwCfg?: Readonly<Record<string, string | { readonly file: string }>>;
  /** PCI Express ports `hotplug0`… that `device_add` can take as `bus`. */
  readonly hotplugPorts?: number;
  readonly extraArgs?: readonly string[];
}

/** Paths of a running guest, all in one folder. */
export interface VmFiles {
  readonly dir: string;
  readonly consoleLog: string;
  readonly consoleSocket: string;
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
    firmwareLog: join(dir, 'firmware.log'),
    proofFile: join(dir, 'proof.jsonl'),
    qmpSocket: join(dir, 'qmp.sock'),
    stderrLog: join(dir, 'qemu.stderr'),
  };
}

/**
 * The arguments of `qemu-system-x86_64`. Emulation only: KVM does not work where these tests run, and a suite that
 * used it sometimes would have two meanings.
 */
export function qemuArguments(options: VmOptions, files: VmFiles, nonce: string): string[] {
  return [
    ...['-nodefaults', '-no-user-config', '-name', options.name],
    ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max'],
    ...['-smp', String(options.cpus ?? 2), '-m', String(options.memoryMib ?? 1024)],
    // A display device without a window: GRUB and screendump want one, the console of the tests is serial.
    ...['-display', 'none', '-device', 'VGA', '-boot', 'menu=off,strict=on', '-rtc', 'base=utc'],
    ...['-device', 'virtio-rng-pci'],
    ...['-qmp', `unix:${files.qmpSocket},server=on,wait=off`],
    ...['-chardev', `socket,id=console,path=${files.consoleSocket},server=on,wait=off,logfile=${files.consoleLog}`],
    ...['-serial', 'chardev:console'],
    ...['-chardev', `file,id=firmware,path=${files.firmwareLog}`],
    ...['-device', 'isa-debugcon,iobase=0x402,chardev=firmware'],
    ...['-device', 'virtio-serial-pci', '-chardev', `file,id=proof,path=${files.proofFile}`],
    ...['-device', 'virtserialport,chardev=proof,name=durantic.proof'],
    ...firmwareArguments(options.firmware, files.dir),
    ...fwCfgArguments({ nonce, ...options.fwCfg }),
    ...kernelArguments(options.kernel),
    ...(options.disks ?? []).flatMap((disk, index) => diskArguments(disk, index)),
    ...networkArguments(options.network),
    ...Array.from({ length: options.hotplugPorts ?? 0 }, (_, port) => [
      '-device',
      `pcie-root-port,id=hotplug${port},chassis=${port + 1},slot=${port + 1}`,
    ]).flat(),
    ...(options.extraArgs ?? []),
  ];
}

const ovmfFiles = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
] as const;

/** SeaBIOS is QEMU's default; OVMF gets a fresh variable store of its own in `dir`. */
function firmwareArguments(firmware: Firmware, dir: string): string[] {
  if (firmware === 'seabios') return [];
  const found = ovmfFiles.find(([code]) => existsSync(code));
  if (found === undefined) throw new Error('OVMF is not installed (Debian package ovmf)');
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

/** Block nodes from the host's file up to the device, and the device. Also what `blockdev-add` takes, as JSON. */
export function diskArguments(disk: VmDisk, index: number): string[] {
  const id = disk.id ?? `disk${index}`;
  const { node, arguments: nodeArguments } = blockNodes(disk, id);
  return [...nodeArguments, '-device', deviceOf(disk, id, node)];
}

function blockNodes(disk: VmDisk, id: string): { node: string; arguments: string[] } {
  const readOnly = disk.readOnly ?? false;
  const result: string[] = [];
  const add = (node: Record<string, unknown>): void => {
    // Only the lowest node may leave out flushes: one that did above the log would keep them from it.
    const cache = { direct: false, 'no-flush': node['driver'] === 'file' && (disk.cache ?? 'unsafe') === 'unsafe' };
    result.push('-blockdev', JSON.stringify({ 'read-only': readOnly, cache, discard: 'unmap', ...node }));
  };
  add({ 'node-name': `${id}-file`, driver: 'file', filename: disk.file });
  let top = `${id}-image`;
  add({ 'node-name': top, driver: disk.format ?? 'raw', file: `${id}-file` });
  if (disk.faultsFile !== undefined) {
    add({ 'node-name': `${id}-faults`, driver: 'blkdebug', config: disk.faultsFile, image: top });
    top = `${id}-faults`;
  }
  if (disk.writeLogFile !== undefined) {
    add({ 'node-name': `${id}-log-file`, driver: 'file', filename: disk.writeLogFile });
    add({ 'node-name': `${id}-log-raw`, driver: 'raw', file: `${id}-log-file` });
    const log = { log: `${id}-log-raw`, 'log-sector-size': disk.sectorBytes ?? 512 };
    add({ 'node-name': `${id}-log`, driver: 'blklogwrites', file: top, ...log });
    top = `${id}-log`;
  }
  if (disk.throttle === undefined) return { node: top, arguments: result };
  const limits = { 'bps-write': disk.throttle.writeBytesPerSecond, 'bps-read': disk.throttle.readBytesPerSecond };
  const group = { 'qom-type': 'throttle-group', id: `${id}-limits`, limits };
  add({ 'node-name': `${id}-throttle`, driver: 'throttle', 'throttle-group': `${id}-limits`, file: top });
  return { node: `${id}-throttle`, arguments: ['-object', JSON.stringify(group), ...result] };
}

function deviceOf(disk: VmDisk, id: string, node: string): string {
  const bus = disk.bus ?? 'virtio';
  const parts: string[] = [
    { virtio: 'virtio-blk-pci', nvme: 'nvme', ahci: 'ide-hd' }[bus],
    `drive=${node}`,
    `id=${id}`,
    `serial=${disk.serial ?? id}`,
  ];
  if (disk.sectorBytes !== undefined) {
    parts.push(`logical_block_size=${disk.sectorBytes}`, `physical_block_size=${disk.sectorBytes}`);
  }
  if (disk.bootIndex !== undefined) parts.push(`bootindex=${disk.bootIndex}`);
  if (bus === 'virtio' && disk.canDiscard === false) parts.push('discard=off');
  if (bus === 'virtio' && disk.writeLogFile !== undefined) parts.push('write-zeroes=off');
  return parts.join(',');
}

function networkArguments(network: VmOptions['network']): string[] {
  if (network === null) return [];
  const netdev = ['user', 'id=net0', `restrict=${network?.restrict ? 'on' : 'off'}`];
  for (const { hostPort, guestPort } of network?.hostForwards ?? []) {
    netdev.push(`hostfwd=tcp:127.0.0.1:${hostPort}-:${guestPort}`);
  }
  for (const { address, port, command } of network?.guestForwards ?? []) {
    netdev.push(`guestfwd=tcp:${address}:${port}-cmd:${escaped(command)}`);
  }
  if (network?.extra !== undefined) netdev.push(network.extra);
  const device = [network?.model ?? 'virtio-net-pci', 'netdev=net0', 'id=nic0'];
  if (network?.mac !== undefined) device.push(`mac=${network.mac}`);
  if (network?.hasBootRom !== true) device.push('romfile=');
  return ['-netdev', netdev.join(','), '-device', device.join(',')];
}

/** A comma inside a value of QEMU's option syntax is written twice. */
function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
