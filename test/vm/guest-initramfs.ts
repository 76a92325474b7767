import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { runCommand, toolPath } from '../../core/base/run-command.ts';
import { type CpioEntry, withParents, writeCpio } from '../../core/cpio/cpio.ts';
import { cacheDir, guestKernel, moduleOrder } from './guest-kernel.ts';

/** `kernel` of a guest that runs a test's script: hand it to `startVm` with the script in fw_cfg `script`. */
export interface TestGuest {
  readonly file: string;
  readonly initrd: string;
  readonly append: string;
}

export interface GuestContents {
  /** A kernel without modules to boot instead of Debian's. */
  readonly kernelFile?: string;
  /** Host programs by name, with every library they load; missing ones are an error. */
  readonly tools?: readonly string[];
  /** Guest path → file of the host; programs bring their libraries. */
  readonly files?: Readonly<Record<string, string>>;
  /** Also put in `/opt/durantic` the folder of the built binary: `durantic` and what lies next to it. */
  readonly bundleDir?: string;
}

/** What `durantic provision` calls, or what a test needs to look at a disk. */
export const provisionTools = [
  ...['sgdisk', 'e2fsck', 'resize2fs', 'tune2fs', 'mke2fs', 'mkfs.ext4', 'dumpe2fs', 'debugfs', 'blkid', 'wipefs'],
  ...['lsblk', 'findmnt', 'blockdev', 'blkdiscard', 'partx', 'addpart', 'delpart', 'losetup', 'mount', 'umount'],
  ...['swapoff', 'mdadm', 'mtools', 'mcopy', 'mdir', 'mtype', 'mdel', 'mattrib', 'setfattr', 'getfattr'],
] as const;

const modules = [
  ...['virtio_pci', 'virtio_console', 'qemu_fw_cfg', 'virtio_rng', 'virtio_blk', 'virtio_net', 'e1000'],
  ...['nvme', 'ahci', 'sd_mod', 'loop', 'af_packet', 'crc32c_generic', 'ext4', 'vfat', 'nls_cp437', 'nls_ascii'],
  ...['nls_iso8859-1', 'efivarfs', 'dm_mod'],
];

const libraryDir = 'usr/lib/x86_64-linux-gnu';

const conversionFiles = ['gconv/gconv-modules', 'gconv/gconv-modules.cache', 'gconv/IBM850.so'];

const keptArchives = 6;

/** Builds the guest's kernel and initramfs, or takes the ones made before from the same bytes. */
export async function testGuest(contents: GuestContents = {}): Promise<TestGuest> {
  const { vmlinuz, name, moduleFiles } = await kernelOf(contents);
  const entries = [...baseEntries(), ...moduleEntries(moduleFiles), ...(await contentEntries(contents))];
  const key = keyOf(name, entries);
  const initrd = join(cacheDir, 'guest-initramfs', `${key}.cpio`);
  if (!existsSync(initrd)) {
    mkdirSync(dirname(initrd), { recursive: true });
    const draft = `${initrd}.${process.pid}`;
    writeCpio(draft, withParents(entries));
    renameSync(draft, initrd);
    dropOldArchives(dirname(initrd), initrd);
  }
  // panic=-1 with -no-reboot ends QEMU on a panic, instead of at the deadline.
  return { file: vmlinuz, initrd, append: 'console=ttyS0,115200 panic=-1 quiet loglevel=4' };
}

function baseEntries(): CpioEntry[] {
  const busybox = which('busybox');
  const script = (name: string): string => new URL(name, import.meta.url).pathname;
  return [
    { path: 'bin/busybox', kind: 'file', isExecutable: true, source: busybox },
    ...['dev', 'proc', 'sys', 'run', 'tmp', 'root', 'mnt', 'var/lib'].map(
      (path): CpioEntry => ({ path, kind: 'directory' }),
    ),
    { path: 'init', kind: 'file', isExecutable: true, source: script('guest-init.sh') },
    { path: 'etc/guest-functions', kind: 'file', source: script('guest-functions.sh') },
    { path: 'etc/passwd', kind: 'file', source: Buffer.from('root:x:0:0:root:/root:/bin/sh\n') },
    { path: 'etc/group', kind: 'file', source: Buffer.from('root:x:0:\n') },
    ...busyboxCommands.map((name): CpioEntry => ({ path: `bin/${name}`, kind: 'symlink', target: 'busybox' })),
  ];
}

/** Links that scripts use; the programs of util-linux lie in /usr and come first in PATH. */
const busyboxCommands = (
  'sh cat cp cut date dd echo env expr false find free grep head hexdump insmod ip kill ln ls mkdir mkfifo mknod ' +
  'modprobe mount mv nc od poweroff printf ps readlink reboot rm rmdir sed seq sha256sum sleep sort stat sync tail ' +
  'tar test time touch tr true truncate umount uname uniq usleep wc wget xargs cmp basename dirname dmesg chmod chown ' +
  'tee awk id uptime udhcpc chroot'
).split(' ');

async function kernelOf(
  contents: GuestContents,
): Promise<{ vmlinuz: string; name: string; moduleFiles: readonly string[] }> {
  if (contents.kernelFile !== undefined) return { vmlinuz: contents.kernelFile, name: 'no modules', moduleFiles: [] };
  const kernel = await guestKernel();
  return { vmlinuz: kernel.vmlinuz, name: kernel.packageName, moduleFiles: moduleOrder(kernel.modulesDir, modules) };
}

function moduleEntries(order: readonly string[]): CpioEntry[] {
  const names = order.map((file) => `/lib/modules/${basename(file)}`);
  return [
    ...order.map((source): CpioEntry => ({ path: `lib/modules/${basename(source)}`, kind: 'file', source })),
    { path: 'etc/modules-in-order', kind: 'file', source: Buffer.from(names.map((name) => `${name}\n`).join('')) },
  ];
}

async function contentEntries(contents: GuestContents): Promise<CpioEntry[]> {
  const wanted = new Map<string, string>();
  for (const tool of contents.tools ?? []) wanted.set(guestPathOf(which(tool)), which(tool));
  for (const [path, source] of Object.entries(contents.files ?? {})) wanted.set(path.replace(/^\//, ''), source);
  const bundle = contents.bundleDir;
  if (bundle !== undefined) {
    for (const name of readdirSync(bundle, { recursive: true, encoding: 'utf8' })) {
      if (statSync(join(bundle, name)).isFile()) wanted.set(`opt/durantic/${name}`, join(bundle, name));
    }
    for (const name of ['libstdc++.so.6', 'libgcc_s.so.1'])
      wanted.set(`${libraryDir}/${name}`, `/${libraryDir}/${name}`);
  }
  // mtools names files in DOS code pages, which glibc converts with tables that ldd does not show.
  if ([...wanted.keys()].some((path) => path.endsWith('/mtools'))) {
    for (const name of conversionFiles) wanted.set(`${libraryDir}/${name}`, `/${libraryDir}/${name}`);
  }
  for (const source of [...wanted.values()]) for (const library of await librariesOf(source)) wanted.set(...library);
  return [...wanted].map(([path, source]) => {
    const isExecutable = (statSync(source).mode & 0o111) !== 0;
    return { path, kind: 'file', source: realpathSync(source), isExecutable };
  });
}

/** `/sbin/x` and `/usr/sbin/x` are one place on a system with merged /usr: in the guest all tools are below /usr. */
function guestPathOf(file: string): string {
  return file.replace(/^\/(usr\/)?/, 'usr/');
}

/** What the loader would map for this program, as pairs of guest path and file; none for a static one or a text. */
async function librariesOf(file: string): Promise<[string, string][]> {
  if (readFileSync(file).subarray(0, 4).toString('latin1') !== '\x7fELF') return [];
  const { stdout } = await runCommand('ldd', [file], { okExitCodes: [0, 1] });
  if (stdout.includes('not found')) throw new Error(`a library of ${file} is missing:\n${stdout}`);
  const result: [string, string][] = [];
  for (const match of stdout.matchAll(/^\s+(?:\S+ => )?(\/\S+) \(0x/gm)) {
    const library = match[1] ?? '';
    // Those next to the binary ($ORIGIN) came with the bundle.
    if (dirname(library) === dirname(realpathSync(file))) continue;
    result.push([library.slice(1), library]);
  }
  return result;
}

function which(tool: string): string {
  const found = toolPath()
    .split(':')
    .map((dir) => join(dir, tool))
    .find((file) => existsSync(file));
  if (found === undefined) throw new Error(`the program ${tool} is not installed, a test guest needs it`);
  return found;
}

function keyOf(kernelName: string, entries: readonly CpioEntry[]): string {
  const hash = createHash('sha256').update(kernelName);
  for (const entry of entries) {
    hash.update(`\0${entry.path}\0${entry.kind}\0`);
    if (entry.kind === 'symlink') hash.update(entry.target);
    if (entry.kind !== 'file') continue;
    const content = typeof entry.source === 'string' ? readFileSync(entry.source) : entry.source;
    hash.update(`${entry.isExecutable} ${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 24);
}

/** Every build of the binary makes a new archive of 150 MB; the oldest go. */
function dropOldArchives(dir: string, justMade: string): void {
  const archives = readdirSync(dir)
    .filter((name) => name.endsWith('.cpio'))
    .map((name) => join(dir, name))
    .filter((file) => file !== justMade)
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const file of archives.slice(keptArchives - 1)) rmSync(file, { force: true });
}
