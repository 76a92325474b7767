import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { z } from 'zod';
import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';
import { startVm } from './qemu.ts';
import type { Firmware } from './qemu-arguments.ts';

const block = z.object({
  name: z.string(),
  size: z.number(),
  fstype: z.string().nullable(),
  label: z.string().nullable(),
  uuid: z.string().nullable(),
  partuuid: z.string().nullable(),
  ptuuid: z.string().nullable(),
});

/** What `installed-proof.py` tells of a system that was installed and has booted. */
export const installedFactsSchema = z.object({
  root: z.object({
    source: z.string(),
    fstype: z.string(),
    size: z.number(),
    uuid: z.string(),
    partuuid: z.string(),
    options: z.string(),
  }),
  disk_bytes: z.number(),
  blocks: z.array(block.extend({ children: z.array(block) })),
  mounts: z.array(z.string()),
  cmdline: z.string(),
  efi: z.boolean(),
  machine_id: z.string(),
  hostname: z.string(),
  ssh_host_keys: z.array(z.string()),
  cloud_init: z.object({ datasource: z.string(), errors: z.array(z.string()) }),
  instance_id: z.string(),
  agent: z.record(z.string(), z.string()),
  not_enrolled: z.number(),
  agent_version: z.string().nullable(),
  failed_units: z.array(z.string()),
  uptime: z.number(),
});

export type InstalledFacts = z.infer<typeof installedFactsSchema>;

/**
 * User-data of a test installation: once cloud-init is done, a unit says on the proof port what the system is, and
 * switches it off, unless `powersOff` is false. With `waitsForAgent` it first gives the injected agent 10 s of life;
 * `atEachStart`, not only at the first.
 */
export function proofUserData(options: {
  readonly waitsForAgent: boolean;
  readonly powersOff?: boolean;
  readonly atEachStart?: boolean;
}): string {
  const script = readFileSync(new URL('installed-proof.py', import.meta.url));
  const unit = `[Unit]
After=cloud-final.service
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/durantic-proof${options.waitsForAgent ? ' --with-agent' : ''}
${options.powersOff === false ? '' : 'ExecStopPost=/usr/bin/systemctl --no-block poweroff\n'}[Install]
WantedBy=cloud-init.target
`;
  const file = (path: string, permissions: string, content: Buffer): object => ({
    path,
    permissions,
    encoding: 'b64',
    content: content.toString('base64'),
  });
  const document = {
    write_files: [
      file('/usr/local/sbin/durantic-proof', '0755', script),
      file('/etc/systemd/system/durantic-proof.service', '0644', Buffer.from(unit)),
    ],
    // Not waited for: the unit comes after the very stage that runs this.
    runcmd: [
      ...(options.atEachStart === true ? [['systemctl', 'enable', 'durantic-proof.service']] : []),
      ['systemctl', 'start', '--no-block', 'durantic-proof.service'],
    ],
  };
  return `#cloud-config\n${JSON.stringify(document, null, 1)}\n`;
}

export interface InstalledRun {
  readonly facts: InstalledFacts;
  /** From the start of QEMU to its end. */
  readonly seconds: number;
}

/**
 * Boots an installed disk without any help of the host (no kernel, no network beyond QEMU's own DHCP), takes its proof
 * and waits until it has switched itself off.
 */
export async function bootInstalled(
  resources: Resources,
  disk: { readonly file: string; readonly format?: 'raw' | 'qcow2'; readonly bus?: 'virtio' | 'nvme' | 'ahci' },
  options: { readonly firmware: Firmware; readonly timeoutMs: number },
): Promise<InstalledRun> {
  const vm = await startVm(resources, {
    name: `installed-${options.firmware}`,
    firmware: options.firmware,
    memoryMib: 1536,
    disks: [{ ...disk, bootIndex: 0 }],
    network: { restrict: true },
  });
  const proof = await vm.waitForProof('installed', { timeoutMs: options.timeoutMs, bootsFromDisk: true });
  const facts = installedFactsSchema.parse(proof.facts);
  await vm.waitForPoweroff({ timeoutMs: 120_000 });
  if (disk.format !== 'qcow2') await checkDiskAtRest(disk.file, vm.nonce);
  return { facts, seconds: vm.seconds };
}

/** Reads the disk of a machine that is off: its tables, its root, and that this very machine wrote to it. */
async function checkDiskAtRest(file: string, nonce: string): Promise<void> {
  await checkTables(file);
  const root = `${file}?offset=${await rootOffsetBytes(file)}`;
  await runCommand('e2fsck', ['-f', '-n', root]);
  const { stdout } = await runCommand('debugfs', ['-R', 'cat /var/lib/durantic-proof-nonce', root]);
  if (stdout.trim() !== nonce) throw new Error(`the root on ${file} was not written by this guest: ${stdout.trim()}`);
}

/** Both partition tables of a disk file, as sgdisk judges them. */
export async function checkTables(file: string): Promise<void> {
  const verified = await withItsSectors(file, async (path) => (await runCommand('sgdisk', ['-v', path])).stdout);
  if (!verified.includes('No problems found')) throw new Error(`sgdisk -v ${file}:\n${verified}`);
}

/** Start of the partition of type "Linux root (x86-64)". */
export async function rootOffsetBytes(file: string): Promise<number> {
  const table = await tableOf(file);
  const root = table.partitions.find(({ type }) => type.toLowerCase() === '4f68bce3-e8cd-4db1-96e7-fbcaf984b709');
  if (root === undefined) throw new Error(`${file} has no partition of type Linux root (x86-64)`);
  return root.start * table.sectorsize;
}

const partitionsSchema = z.object({
  partitiontable: z.object({
    sectorsize: z.number(),
    partitions: z.array(z.object({ start: z.number(), size: z.number(), type: z.string() })),
  }),
});

/** Number of partitions in the table of a disk file. */
export async function partitionCount(file: string): Promise<number> {
  return (await tableOf(file)).partitions.length;
}

async function tableOf(file: string): Promise<z.infer<typeof partitionsSchema>['partitiontable']> {
  const { stdout } = await withItsSectors(file, async (path) => await runCommand('sfdisk', ['--json', path]));
  return partitionsSchema.parse(JSON.parse(stdout)).partitiontable;
}

/** The tools take a file for a disk of 512-byte sectors; one with larger sectors is shown to them as a loop device. */
async function withItsSectors<T>(file: string, use: (path: string) => Promise<T>): Promise<T> {
  const head = Buffer.alloc(8192);
  const fd = openSync(file, 'r');
  readSync(fd, head, 0, head.length, 0);
  closeSync(fd);
  if (head.toString('latin1', 4096, 4104) !== 'EFI PART') return await use(file);
  const { stdout } = await runCommand('losetup', ['--find', '--show', '--read-only', '--sector-size', '4096', file]);
  const loop = stdout.trim();
  try {
    return await use(loop);
  } finally {
    await runCommand('losetup', ['--detach', loop]);
  }
}
