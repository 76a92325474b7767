import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SystemRoots } from '../../../../agent/hardware/sysfs.ts';
import type { Resources } from '../../../resources.ts';

export interface FakeDevice {
  /** Kernel name, `sda`, `sda1`, `dm-0`. */
  readonly name: string;
  readonly sizeBytes?: number;
  /** Attributes below the device's folder, `queue/logical_block_size`, `device/model`. */
  readonly attributes?: Readonly<Record<string, string | Buffer>>;
  /** Where it hangs in /sys/devices, without the name; tells the transport. */
  readonly at?: string;
  /** Whole disk that this is a partition of, with its number. */
  readonly partitionOf?: string;
  /** Devices that this one is built upon. */
  readonly slaves?: readonly string[];
}

/** A /sys, /proc and /dev of a machine that does not exist, laid out as the kernel does. */
export class FakeSystem {
  readonly roots: SystemRoots;
  readonly #folders = new Map<string, string>();
  #minor = 0;

  constructor(resources: Resources) {
    const root = mkdtempSync(join(tmpdir(), 'durantic-fake-system-'));
    resources.defer(`rm ${root}`, async () => {
      const { rm } = await import('node:fs/promises');
      await rm(root, { recursive: true });
    });
    this.roots = { sysRoot: join(root, 'sys'), procRoot: join(root, 'proc'), devRoot: join(root, 'dev') };
    for (const folder of ['sys/class/block', 'sys/dev/block', 'proc/self', 'dev'])
      mkdirSync(join(root, folder), { recursive: true });
    this.proc('self/mountinfo', '');
    this.proc('swaps', 'Filename\tType\tSize\tUsed\tPriority\n');
  }

  /** Writes a file of /proc. */
  proc(path: string, text: string): void {
    writeFileSync(join(this.roots.procRoot, path), text);
  }

  /** Writes a file below /sys. */
  sys(path: string, text: string): void {
    write(join(this.roots.sysRoot, path), text);
  }

  /** Adds a device and gives its number, `8:3`. */
  add(device: FakeDevice): string {
    const { sysRoot } = this.roots;
    this.#minor += 1;
    const devno = `8:${this.#minor}`;
    const parent = device.partitionOf === undefined ? undefined : this.#folders.get(device.partitionOf);
    const at = device.at ?? 'virtual/block';
    const deviceFolder = join(sysRoot, 'devices', at);
    const folder = parent === undefined ? join(deviceFolder, 'block', device.name) : join(parent, device.name);
    this.#folders.set(device.name, folder);
    const attributes: Record<string, string | Buffer> = {
      dev: devno,
      size: `${(device.sizeBytes ?? 0) / 512}`,
      ro: '0',
      ...(parent === undefined ? { removable: '0', 'queue/logical_block_size': '512' } : {}),
      ...device.attributes,
    };
    for (const [path, value] of Object.entries(attributes)) {
      const isOfDevice = path.startsWith('device/') && device.at !== undefined;
      write(isOfDevice ? join(deviceFolder, path.slice('device/'.length)) : join(folder, path), value);
    }
    if (device.at !== undefined && parent === undefined) symlinkSync(deviceFolder, join(folder, 'device'));
    symlinkSync(folder, join(sysRoot, 'class/block', device.name));
    symlinkSync(folder, join(sysRoot, 'dev/block', devno));
    for (const slave of device.slaves ?? []) {
      const below = this.#folders.get(slave) ?? '';
      mkdirSync(join(folder, 'slaves'), { recursive: true });
      mkdirSync(join(below, 'holders'), { recursive: true });
      symlinkSync(below, join(folder, 'slaves', slave));
      symlinkSync(folder, join(below, 'holders', device.name));
    }
    return devno;
  }
}

function write(path: string, value: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof value === 'string' ? `${value}\n` : value);
}
