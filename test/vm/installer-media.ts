import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';
import { installerAsset } from './installer-assets.ts';
import type { InstallerServer } from './installer-server.ts';
import type { VmDisk, VmNetwork, VmOptions } from './qemu-arguments.ts';

/**
 * How a machine gets the installer: QEMU hands over the kernel (`direct`); the ISO as a CD, as a USB stick, as a disk; a
 * script of the server that is run by the card's iPXE (`ipxe`: with a token in its address; `ipxe-known`: by the
 * machine's MAC address); the kernel itself as boot file over TFTP, without any parameter (UEFI only).
 */
export type Medium = 'direct' | 'iso' | 'usb' | 'disk' | 'ipxe' | 'ipxe-known' | 'tftp';

export interface MediumRequest {
  readonly server: InstallerServer;
  /** The server's name for the guest. */
  readonly host: string;
  /** Null: none, so the machine asks for approval. */
  readonly token: string | null;
  readonly macs: readonly string[];
  /** Further kernel parameters; only `direct` can take them. */
  readonly append: string;
  /** An extra initrd; only `direct` can take it. */
  readonly overlay: string | undefined;
}

/** What a medium adds to a guest: a kernel, a disk that is tried first, or settings of the first card. */
export interface MediumParts {
  readonly kernel?: VmOptions['kernel'];
  readonly disk?: VmDisk;
  readonly network?: Partial<VmNetwork>;
}

type Maker = (resources: Resources, request: MediumRequest) => Promise<MediumParts> | MediumParts;

const makers: Readonly<Record<Medium, Maker>> = {
  direct: (_resources, request) => ({
    kernel: {
      file: installerAsset('vmlinuz'),
      append: [...serverParameters(request), request.append].filter(Boolean).join(' '),
      ...(request.overlay === undefined ? {} : { initrd: request.overlay }),
    },
  }),
  iso: async (resources, request) => ({
    disk: { ...(await isoDisk(resources, request)), bus: 'ahci', isOptical: true },
  }),
  usb: async (resources, request) => ({ disk: { ...(await isoDisk(resources, request)), bus: 'usb' } }),
  disk: async (resources, request) => ({ disk: { ...(await isoDisk(resources, request)), bus: 'virtio' } }),
  // BOOTP has room for 127 characters (RFC 951), so that a script too short to fail leads to the one with the token.
  ipxe: (resources, { server, host, token }) => {
    const tftpDir = resources.tempDir();
    const query = token === null ? '' : `?token=${token}`;
    writeFileSync(join(tftpDir, 'boot.ipxe'), `#!ipxe\nchain ${server.bootUrl(host)}/boot/ipxe${query}\n`);
    return { network: { tftpDir, bootFile: 'boot.ipxe', ...fromNetwork } };
  },
  'ipxe-known': async (_resources, { server, host, macs }) => {
    await server.expect(macs);
    return { network: { bootFile: `${server.bootUrl(host)}/boot/ipxe`, ...fromNetwork } };
  },
  tftp: (resources) => {
    const tftpDir = resources.tempDir();
    copyFileSync(installerAsset('vmlinuz'), join(tftpDir, 'vmlinuz'));
    return { network: { tftpDir, bootFile: 'vmlinuz', ...fromNetwork } };
  },
};

const fromNetwork = { hasBootRom: true, bootIndex: 0 } as const;

export async function prepareMedium(
  resources: Resources,
  medium: Medium,
  request: MediumRequest,
): Promise<MediumParts> {
  if (medium !== 'direct' && (request.append !== '' || request.overlay !== undefined)) {
    throw new Error(`${medium}: parameters and an overlay can be given to a kernel only that QEMU starts itself`);
  }
  return await makers[medium](resources, request);
}

function serverParameters({ server, host, token }: MediumRequest): string[] {
  const words = [`durantic.server=${server.url(host)}`, `durantic.pin=${server.process.pin}`];
  return token === null ? words : [...words, `durantic.token=${token}`];
}

/** The ISO as this server gives it out to who asks under the guest's name for it. */
async function isoDisk(resources: Resources, { server, host, token }: MediumRequest): Promise<VmDisk> {
  const file = join(resources.tempDir(), 'installer.iso');
  const url = `${server.bootUrl(host)}/boot/installer.iso${token === null ? '' : `?token=${token}`}`;
  const config = `url = "${url}"\nconnect-to = "::127.0.0.1:${server.bootPort}"\noutput = "${file}"\n`;
  await runCommand('curl', ['-sS', '--fail', '--config', '-'], { input: config });
  return { file, bootIndex: 0, readOnly: true, serial: 'MEDIUM', id: 'medium' };
}
