import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installerAsset } from './installer-assets.ts';
import type { VmDisk, VmNetwork, VmOptions } from './qemu-arguments.ts';

/**
 * How a machine gets the installer: QEMU hands over the kernel (`direct`); the ISO as a CD, as a USB stick, as any disk;
 * a script of the server that is run by the card's iPXE (`ipxe`: with a token in its address; `ipxe-known`: by the
 * machine's MAC address); the kernel itself as boot file over TFTP, without any parameter (UEFI only); whatever the DHCP
 * server of the guest's network names.
 */
export type Medium = 'direct' | 'iso' | 'usb' | 'iso-disk' | 'ipxe' | 'ipxe-known' | 'tftp' | 'network';

export interface MediumRequest {
  /** Folder for what the medium is made of. */
  readonly dir: string;
  /** Holds the kernel; default: what `scripts/build-installer` has made. */
  readonly assetsDir?: string;
  /** As the machine dials it; null: it is not told of a server. */
  readonly server: { readonly url: string; readonly pin: string | null; readonly bootUrl: string | null } | null;
  /** Null: none, so the machine asks for approval. */
  readonly token: string | null;
  /** Further kernel parameters; only `direct` can take them. */
  readonly append: string;
  /** An extra initrd; only `direct` can take it. */
  readonly overlay: string | undefined;
  /** Gives the file of an ISO that knows server and token. */
  readonly iso: () => Promise<string>;
  /** Tells the server that this machine is to be installed when it boots from the network. */
  readonly expect: () => Promise<void>;
}

/** What a medium adds to a guest: a kernel, a disk that is tried first, or settings of the first card. */
export interface MediumParts {
  readonly kernel?: VmOptions['kernel'];
  readonly disk?: VmDisk;
  readonly network?: Partial<VmNetwork>;
}

type Maker = (request: MediumRequest) => Promise<MediumParts> | MediumParts;

const makers: Readonly<Record<Medium, Maker>> = {
  direct: (request) => ({
    kernel: {
      file: installerAsset('vmlinuz', request.assetsDir),
      append: [...serverParameters(request), request.append].filter(Boolean).join(' '),
      ...(request.overlay === undefined ? {} : { initrd: request.overlay }),
    },
  }),
  iso: async (request) => ({ disk: { ...isoDisk(await request.iso()), bus: 'ahci', isOptical: true } }),
  usb: async (request) => ({ disk: { ...isoDisk(await request.iso()), bus: 'usb' } }),
  'iso-disk': async (request) => ({ disk: isoDisk(await request.iso()) }),
  // BOOTP has room for 127 characters (RFC 951), fewer than a token has: a script that is short leads to the server's.
  ipxe: ({ dir, server, token }) => {
    const tftpDir = join(dir, 'tftp');
    mkdirSync(tftpDir, { recursive: true });
    const query = token === null ? '' : `?token=${token}`;
    writeFileSync(join(tftpDir, 'boot.ipxe'), `#!ipxe\nchain ${bootUrlOf(server)}/boot/ipxe${query}\n`);
    return { network: { tftpDir, bootFile: 'boot.ipxe', ...fromNetwork } };
  },
  'ipxe-known': async ({ server, expect }) => {
    await expect();
    return { network: { bootFile: `${bootUrlOf(server)}/boot/ipxe`, ...fromNetwork } };
  },
  tftp: ({ dir, assetsDir }) => {
    const tftpDir = join(dir, 'tftp');
    mkdirSync(tftpDir, { recursive: true });
    copyFileSync(installerAsset('vmlinuz', assetsDir), join(tftpDir, 'vmlinuz'));
    return { network: { tftpDir, bootFile: 'vmlinuz', ...fromNetwork } };
  },
  network: () => ({ network: fromNetwork }),
};

const fromNetwork = { hasBootRom: true, bootIndex: 0 } as const;

export async function prepareMedium(medium: Medium, request: MediumRequest): Promise<MediumParts> {
  if (medium !== 'direct' && (request.append !== '' || request.overlay !== undefined)) {
    throw new Error(`${medium}: parameters and an overlay can be given to a kernel only that QEMU starts itself`);
  }
  return await makers[medium](request);
}

/** The file and its place as boot medium, which nothing writes to. */
function isoDisk(file: string): VmDisk {
  return { file, bootIndex: 0, readOnly: true, serial: 'MEDIUM', id: 'medium' };
}

function serverParameters({ server, token }: MediumRequest): string[] {
  const values = { server: server?.url, pin: server?.pin, token };
  return Object.entries(values).flatMap(([name, value]) => (value == null ? [] : [`durantic.${name}=${value}`]));
}

function bootUrlOf(server: MediumRequest['server']): string {
  if (server?.bootUrl == null) throw new Error('network boot needs the plain listener of a server');
  return server.bootUrl;
}
