import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { Machine } from '../../protocol/api/machines.ts';
import type { Resources } from '../../test/resources.ts';
import { InstallLab } from '../../test/vm/install-lab.ts';
import type { InstallerGuest } from '../../test/vm/installer-guest.ts';
import { lanHost } from '../../test/vm/installer-server.ts';
import { distDir, repoDir } from '../build/paths.ts';
import { DemoSteps, print, runDemonstration, show } from './demo-steps.ts';
import { followConsole } from './follow-console.ts';

const gib = 1024 ** 3;
const minuteMs = 60_000;
const hostname = 'durantic-demo';
const steps = new DemoSteps(6);

/**
 * A machine without a system on a network of its own: it boots from the network, the operator's command installs it, and it
 * comes online as its own system.
 */
async function demonstrate(firmware: 'ovmf' | 'seabios', resources: Resources): Promise<void> {
  await steps.step('Build the binary', async () => await show(join(repoDir, 'scripts/build-binary'), []));
  await steps.step('Build a Debian 12 image', async () => {
    await show(join(repoDir, 'scripts/build-image'), ['debian-12']);
  });
  await steps.step('Build the installer (the first time with its kernel, about 13 minutes on two cores)', async () => {
    await show(join(repoDir, 'scripts/build-installer'), []);
  });
  const lab = await steps.step('Start a server, a registry, and a network with DHCP', async () => {
    const started = await InstallLab.create(resources, {
      dhcpArgs: (server) => [`--dhcp-boot=${server.bootUrl(lanHost)}/boot/ipxe`],
    });
    await started.push(`oci:${join(distDir, 'images', 'debian-12')}`, 'debian:12');
    print(`     server    ${started.server.process.url} for you, ${started.server.url(lanHost)} for the machine`);
    print(`     image     ${started.imageUrl('debian:12')}`);
    return started;
  });
  const guest = await steps.step(
    'Switch on a machine with an empty disk: it boots the installer from the network',
    () => bootFromNetwork(lab, firmware, resources),
  );
  const machine = await steps.step('Install it: durantic server provision, then its own system', () =>
    install(lab, guest),
  );
  print(`
The machine has installed itself, restarted and come online:
     host name     ${machine.hostname}
     firmware      ${machine.facts?.firmware}
     kernel        ${machine.hardware?.kernel}
     state         ${machine.provision_state}, ${machine.is_online ? 'online' : 'offline'}
     run           ${machine.last_provision?.uuid} ${machine.last_provision?.status}

All of it took ${steps.took}. Server, registry, network and machine end now.`);
}

async function bootFromNetwork(
  lab: InstallLab,
  firmware: 'ovmf' | 'seabios',
  resources: Resources,
): Promise<InstallerGuest> {
  const guest = await lab.startInstaller({
    ...{ medium: 'ipxe-known', firmware, token: null, memoryMib: 1024 },
    card: { hasBootRom: true, bootIndex: 0 },
    disks: [{ file: resources.sparseFile(8 * gib), serial: 'DEMO', bootIndex: 1 }],
  });
  const stopFollowing = followConsole(guest.vm.files.consoleLog, (text) => process.stdout.write(text));
  try {
    await guest.waitForMachine(({ hardware }) => hardware !== null, { timeoutMs: 5 * minuteMs });
  } finally {
    stopFollowing();
    print();
  }
  return guest;
}

/** What an operator types, with its progress. */
async function install(lab: InstallLab, guest: InstallerGuest): Promise<Machine> {
  const { server } = lab;
  const { uuid } = await guest.waitForMachine();
  await lab.assign(uuid, { image: 'debian:12', settings: { hostname } });
  const binary = join(distDir, 'durantic');
  const { url, adminToken, pin } = server.process;
  const access = { DURANTIC_ENDPOINT: url, DURANTIC_API_TOKEN: adminToken, DURANTIC_PIN: pin };
  const env = { ...process.env, ...access };
  print(`     ${relative(process.cwd(), binary)} server provision ${hostname} --yes`);
  await show(binary, ['server', 'provision', hostname, '--yes'], env);
  await show(binary, ['server', 'machines'], env);
  const machine = (await server.machines()).find((each) => each.uuid === uuid);
  if (machine === undefined) throw new Error('the machine is gone from the server');
  return machine;
}

const { values } = parseArgs({
  options: { netboot: { type: 'boolean' }, uefi: { type: 'boolean' }, bios: { type: 'boolean' } },
});
await runDemonstration(async (resources) => {
  if (values.uefi && values.bios) throw new Error('--uefi and --bios exclude each other');
  await demonstrate(values.bios ? 'seabios' : 'ovmf', resources);
});
