import { join } from 'node:path';
import { type CpioEntry, withParents } from '../../core/cpio/cpio.ts';
import { firstStageApplets } from '../contents.ts';
import { minimumMemory } from '../minimum-memory.ts';
import { fileEntry } from './collect-files.ts';
import { staticBusybox, treeEntries } from './second-stage-files.ts';

export interface FirstStage {
  /** The Debian root that busybox and /etc are taken from. */
  readonly root: string;
  readonly squashfs: string;
  /** SHA-256 of `squashfs`, hex. */
  readonly squashfsSha256: string;
  /** Firmware: paths below `lib/firmware/` and files of this machine. */
  readonly firmware: readonly FirmwareFile[];
}

export interface FirmwareFile {
  /** As a driver asks for it, with `.zst` when it is compressed: `bnx2/bnx2-mips-09-6.2.1b.fw.zst`. */
  readonly path: string;
  readonly kind: 'file' | 'symlink';
  /** The file's content on this machine, or what the link points to. */
  readonly source: string;
}

const here = join(import.meta.dirname, '..');

/** Everything that is in the archive inside the kernel: `/init`, a static busybox, firmware, the second stage in one file. */
export function firstStageFiles(stage: FirstStage): CpioEntry[] {
  const file = (path: string, text: string): CpioEntry => ({ path, kind: 'file', source: Buffer.from(text) });
  return withParents([
    ...rootFolders(),
    fileEntry('init', join(here, 'init')),
    fileEntry('stage1/busybox', staticBusybox(stage.root)),
    ...firstStageApplets.map(
      (name): CpioEntry => ({ path: `stage1/bin/${name}`, kind: 'symlink', target: '../busybox' }),
    ),
    fileEntry('stage1/functions', join(here, 'functions')),
    file('stage1/minimum-memory', memoryText()),
    fileEntry('etc/inittab', join(here, 'inittab')),
    ...treeEntries(join(here, 'etc'), 'etc'),
    fileEntry('etc/mke2fs.conf', join(stage.root, 'etc/mke2fs.conf')),
    fileEntry('durantic/stage2.squashfs', stage.squashfs),
    // What `durantic installer` runs beside, and nowhere else.
    file('durantic/installer-medium', ''),
    file('durantic/stage2.squashfs.sha256', `${stage.squashfsSha256}  stage2.squashfs\n`),
    ...stage.firmware.map(firmwareEntry),
  ]);
}

/** `/` stays in memory and writable; all that is large lies in /usr, which the second stage becomes. */
function rootFolders(): CpioEntry[] {
  const link = (path: string, target: string): CpioEntry => ({ path, kind: 'symlink', target });
  const folder = (path: string, mode = 0o755): CpioEntry => ({ path, kind: 'directory', mode });
  return [
    ...['bin', 'sbin', 'lib', 'lib64'].map((name) => link(name, `usr/${name}`)),
    ...['usr/lib', 'proc', 'sys', 'dev', 'mnt', 'run', 'run/lock/lvm', 'var/log', 'firmware'].map((path) =>
      folder(path),
    ),
    ...['root', 'run/durantic', 'var/lib/dhcpcd', 'var/lib/durantic'].map((path) => folder(path, 0o700)),
    ...['tmp', 'var/tmp'].map((path) => folder(path, 0o1777)),
    // The kernel opens it for /init before anything is mounted.
    { path: 'dev/console', kind: 'character-device', major: 5, minor: 1 },
    link('etc/mtab', '/proc/self/mounts'),
    link('etc/ssl/certs/ca-certificates.crt', '/usr/share/ca-certificates.crt'),
    link('etc/ssl/cert.pem', '/usr/share/ca-certificates.crt'),
    link('usr/lib/firmware', '/firmware'),
    link('var/run', '/run'),
  ];
}

function firmwareEntry({ path, kind, source }: FirmwareFile): CpioEntry {
  if (kind === 'symlink') return { path: `firmware/${path}`, kind, target: source };
  return { path: `firmware/${path}`, kind, source };
}

/** For the shell. */
function memoryText(): string {
  return `minimum_ram_mib=${minimumMemory.ramMib}\nminimum_usable_mib=${minimumMemory.usableMib}\n`;
}
