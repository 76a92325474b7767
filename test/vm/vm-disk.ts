/**
 * Where a disk is attached: `virtio` is virtio-blk, `scsi` virtio-scsi; each disk that needs a controller has one of its
 * own.
 */
export type DiskBus = 'virtio' | 'scsi' | 'ahci' | 'nvme' | 'pvscsi' | 'megasas' | 'usb';

/** One disk of a guest: what the guest sees, and what lies between it and the host's file. */
export interface VmDisk {
  readonly file: string;
  /** Default `virtio`. */
  readonly bus?: DiskBus;
  /** A read-only optical drive with this file as its disc, on `ahci` or a SCSI bus. */
  readonly isOptical?: boolean;
  /** Default `raw`. */
  readonly format?: 'raw' | 'qcow2';
  readonly serial?: string;
  /** World wide name (NAA, 64 bits), on the SCSI buses and `ahci`. */
  readonly wwn?: string;
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

/** Block nodes from the host's file up to the device, and the device. Also what `blockdev-add` takes, as JSON. */
export function diskArguments(disk: VmDisk, index: number): string[] {
  const id = disk.id ?? `disk${index}`;
  const { node, arguments: nodeArguments } = blockNodes(disk, id);
  return [...nodeArguments, ...deviceArguments(disk, id, node)];
}

function blockNodes(disk: VmDisk, id: string): { node: string; arguments: string[] } {
  const readOnly = disk.readOnly ?? disk.isOptical ?? false;
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

/** QEMU's device on each bus, and the controller that is made for it. */
const devices: Readonly<Record<DiskBus, { readonly device: string; readonly optical?: string; controller?: string }>> =
  {
    virtio: { device: 'virtio-blk-pci' },
    nvme: { device: 'nvme' },
    ahci: { device: 'ide-hd', optical: 'ide-cd', controller: 'ich9-ahci' },
    scsi: { device: 'scsi-hd', optical: 'scsi-cd', controller: 'virtio-scsi-pci' },
    pvscsi: { device: 'scsi-hd', optical: 'scsi-cd', controller: 'pvscsi' },
    megasas: { device: 'scsi-hd', optical: 'scsi-cd', controller: 'megasas' },
    usb: { device: 'usb-storage', controller: 'qemu-xhci' },
  };

function deviceArguments(disk: VmDisk, id: string, node: string): string[] {
  const bus = disk.bus ?? 'virtio';
  const { device, optical, controller } = devices[bus];
  if (disk.isOptical && optical === undefined) throw new Error(`there is no optical drive on ${bus}`);
  if (bus === 'ahci' && disk.sectorBytes === 4096) throw new Error('QEMU has no AHCI disks with sectors of 4096 bytes');
  const serial = disk.serial ?? id;
  const parts = [disk.isOptical ? `${optical}` : device, `drive=${node}`, `id=${id}`, `serial=${serial}`];
  if (controller !== undefined) parts.push(`bus=${id}-bus.0`);
  if (disk.wwn !== undefined) parts.push(`wwn=${disk.wwn}`);
  if (disk.sectorBytes !== undefined) {
    parts.push(`logical_block_size=${disk.sectorBytes}`, `physical_block_size=${disk.sectorBytes}`);
  }
  if (disk.bootIndex !== undefined) parts.push(`bootindex=${disk.bootIndex}`);
  if (bus === 'usb') parts.push('removable=on');
  if (bus === 'virtio' && disk.canDiscard === false) parts.push('discard=off');
  if (bus === 'virtio' && disk.writeLogFile !== undefined) parts.push('write-zeroes=off');
  const controllerArguments = controller === undefined ? [] : ['-device', `${controller},id=${id}-bus`];
  return [...controllerArguments, '-device', parts.join(',')];
}
