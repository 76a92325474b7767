import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resources } from '../resources.ts';
import { InstallLab } from './install-lab.ts';
import { lanHost } from './installer-server.ts';

/** A lab that starts every machine from its network: DHCP names a script, which brings iPXE to the server with a token. */
export async function createNetworkBootLab(resources: Resources): Promise<InstallLab> {
  const tftpDir = resources.tempDir();
  const lab = await InstallLab.create(resources, {
    dhcpArgs: () => ['--enable-tftp', `--tftp-root=${tftpDir}`, '--dhcp-boot=boot.ipxe'],
  });
  const url = `${lab.server.bootUrl(lanHost)}/boot/ipxe?token=${await lab.server.token()}`;
  writeFileSync(join(tftpDir, 'boot.ipxe'), `#!ipxe\nchain ${url}\n`);
  return lab;
}
