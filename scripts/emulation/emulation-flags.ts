import { parseArgs } from 'node:util';
import type { Firmware } from '../../test/vm/qemu-arguments.ts';
import type { NicModel } from '../../test/vm/vm-network.ts';
import { type DiskRequest, parseDisks } from './parse-disks.ts';
import { parseNics } from './parse-nics.ts';

export const usage = `Usage: scripts/run-qemu [options]

Boots a machine in QEMU: the installer from any medium, or what it has installed. Everything of that machine and its
server is kept in .run-qemu/, so that the next start is the same machine again. ^C ends all of it.

  --media KIND        direct (default): QEMU starts dist/vmlinuz itself; iso: the ISO as a CD; usb: the ISO as a stick;
                      ipxe: the server's iPXE script; tftp: vmlinuz as boot file without any parameter (UEFI);
                      disk: the machine's own disk. After a reboot of the installer the disk is booted, if it can be.
  --firmware KIND     uefi (default) or bios
  --serial            the serial console in this terminal (default)
  --display           a window; where it has no desktop, use --vnc
  --vnc [N]           VNC on 127.0.0.1, display N (default 0, which is port 5900)
  --nics N[:MODEL,…]  network cards, the last model for all that follow: virtio (default), e1000, e1000e, vmxnet3,
                      rtl8139, usb. The first one reaches the server; the others have DHCP that leads nowhere.
  --disks N[:BUS][:4k][:SIZE]
                      disks, may be repeated: virtio (default), scsi, ahci, nvme, pvscsi, megasas, usb; SIZE such as 20G
                      (default 10G). Without the option one disk; 0 for none.
  --memory MIB        default 1024
  --cpus N            default 2
  --server URL        a server that runs already; DURANTIC_API_TOKEN and DURANTIC_PIN are used if they are set.
                      Default, "start": one of this machine's own, on loopback.
  --boot-url URL      its plain listener (durantic server run --http-boot), for --media ipxe
  --no-server         none: the installer asks who it belongs to
  --token             the machine enrols by a token (default)
  --approval          it shows a code, which you approve
  --image IMAGE       an image that the machine can be installed with: a name that ./scripts/build-image knows, or the
                      folder of an OCI layout; may be repeated, the first is the default image. A registry of its own
                      has it. Without the option all that are built.
  --append "WORDS"    further kernel parameters, for --media direct
  --kvm               the processor's virtualisation instead of emulation
  --fresh             forget machine, disks and server of earlier starts
  --state DIR         keep them here instead of in .run-qemu
  --dry-run           print QEMU's command line and end
  --help
`;

export const mediaKinds = ['direct', 'iso', 'usb', 'ipxe', 'tftp', 'disk'] as const;

export type ServerChoice =
  | { readonly kind: 'start' }
  | { readonly kind: 'given'; readonly url: string; readonly bootUrl: string | null }
  | { readonly kind: 'none' };

export interface EmulationFlags {
  readonly media: (typeof mediaKinds)[number];
  readonly firmware: Firmware;
  readonly view: 'serial' | 'display' | { readonly vnc: number };
  readonly nics: readonly NicModel[];
  readonly disks: readonly DiskRequest[];
  readonly memoryMib: number;
  readonly cpus: number;
  readonly server: ServerChoice;
  readonly way: 'token' | 'approval';
  /** Null: all that are built. */
  readonly images: readonly string[] | null;
  readonly append: string;
  readonly hasKvm: boolean;
  readonly isFresh: boolean;
  readonly stateDir: string | null;
  readonly isDryRun: boolean;
}

const text = { type: 'string' } as const;
const texts = { type: 'string', multiple: true } as const;
const flag = { type: 'boolean', default: false } as const;

const options = {
  media: text,
  firmware: text,
  serial: flag,
  display: flag,
  vnc: flag,
  nics: text,
  disks: texts,
  memory: text,
  cpus: text,
  server: text,
  'boot-url': text,
  'no-server': flag,
  token: flag,
  approval: flag,
  image: texts,
  append: text,
  kvm: flag,
  fresh: flag,
  state: text,
  'dry-run': flag,
  help: flag,
} as const;

/**
 * The arguments of `scripts/run-qemu`; null for `--help`.
 * @throws Error that names the argument.
 */
export function readEmulationFlags(argv: readonly string[]): EmulationFlags | null {
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
  if (values.help) return null;
  const vncDisplay = values.vnc ? positionals.shift() : undefined;
  if (positionals.length > 0) throw new Error(`what is "${positionals[0]}"? --help lists the options`);
  const firmware = oneOf('--firmware', values.firmware ?? 'uefi', ['uefi', 'bios']);
  const media = oneOf('--media', values.media ?? 'direct', mediaKinds);
  exclude({ '--serial': values.serial, '--display': values.display, '--vnc': values.vnc });
  exclude({ '--token': values.token, '--approval': values.approval });
  exclude({ '--server': values.server !== undefined, '--no-server': values['no-server'] });
  const flags: EmulationFlags = {
    media,
    firmware: firmware === 'uefi' ? 'ovmf' : 'seabios',
    view: values.vnc ? { vnc: wholeNumber('--vnc', vncDisplay ?? '0', 0, 99) } : values.display ? 'display' : 'serial',
    nics: parseNics(values.nics ?? '1'),
    disks: parseDisks(values.disks ?? ['1']),
    memoryMib: wholeNumber('--memory', values.memory ?? '1024', 64, 1 << 20),
    cpus: wholeNumber('--cpus', values.cpus ?? '2', 1, 256),
    server: serverChoice(values.server, values['boot-url'], values['no-server']),
    way: values.approval ? 'approval' : 'token',
    images: values.image ?? null,
    append: values.append ?? '',
    hasKvm: values.kvm,
    isFresh: values.fresh,
    stateDir: values.state ?? null,
    isDryRun: values['dry-run'],
  };
  checkMedium(flags);
  return flags;
}

function checkMedium({ media, firmware, append, server, nics, disks, images }: EmulationFlags): void {
  if (images !== null && server.kind !== 'start') throw new Error('--image is for a server that is started here');
  if (media !== 'direct' && append !== '')
    throw new Error('--append is for --media direct: QEMU starts no kernel itself');
  if (media === 'tftp' && firmware === 'seabios') {
    throw new Error('--media tftp needs --firmware uefi: a BIOS starts no kernel that has no script');
  }
  if ((media === 'ipxe' || media === 'tftp') && nics.length === 0)
    throw new Error(`--media ${media} needs a network card`);
  if (media === 'disk' && disks.length === 0) throw new Error('--media disk needs a disk');
  if (media === 'ipxe' && server.kind === 'none') throw new Error('--media ipxe needs a server, which has the script');
  if (media === 'ipxe' && server.kind === 'given' && server.bootUrl === null) {
    throw new Error('--media ipxe needs --boot-url with --server: firmware cannot fetch over TLS with a CA of its own');
  }
}

function serverChoice(server: string | undefined, bootUrl: string | undefined, isNone: boolean): ServerChoice {
  const isStarted = server === undefined || server === 'start';
  if (bootUrl !== undefined && isStarted) throw new Error('--boot-url belongs to --server URL');
  if (isNone) return { kind: 'none' };
  if (isStarted) return { kind: 'start' };
  return {
    kind: 'given',
    url: origin('--server', server),
    bootUrl: bootUrl === undefined ? null : origin('--boot-url', bootUrl),
  };
}

function origin(name: string, value: string): string {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new Error(`${name}: "${value}" is not scheme, host and port of a server`);
  }
  return url.origin;
}

function oneOf<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new Error(`${name}: "${value}" is none of ${choices.join(', ')}`);
  return found;
}

function wholeNumber(name: string, value: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most))
    throw new Error(`${name}: "${value}" is no whole number from ${least} to ${most}`);
  return number;
}

function exclude(given: Readonly<Record<string, boolean>>): void {
  const names = Object.keys(given).filter((name) => given[name]);
  if (names.length > 1) throw new Error(`${names.join(' and ')} exclude each other`);
}
