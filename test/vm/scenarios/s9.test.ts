import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { tinyImage } from '../../builders/tiny-image.ts';
import { Resources } from '../../resources.ts';
import { assertRecord } from '../assert-record.ts';
import { buildDebianImage } from '../debian-image.ts';
import { findOnDisk, modeOnDisk, readOnDisk } from '../find-on-disk.ts';
import type { DhcpServer } from '../guest-lan.ts';
import { InstallLab } from '../install-lab.ts';
import { lanHost } from '../installer-server.ts';
import { waitForScreen } from '../wait-for-screen.ts';
import { assertDiskAtRest, installMachine } from './install-machine.ts';
import { StageClock } from './stage-clock.ts';

const gib = 1024 ** 3;

const secret = (name: string): string => `${name}-${randomBytes(12).toString('hex')}`;

/** User data with a secret, and the installed system's kernel parameters kept for the host to read. */
const userDataWith = (text: string): string => `#cloud-config
write_files:
- path: /etc/secret
  permissions: '0600'
  content: ${text}
runcmd:
- [cp, /proc/cmdline, /var/lib/booted-with]
`;

/** The one lease, and how often it was given so far. */
function leaseOf(dhcp: DhcpServer): { lease: unknown; acknowledged: number } {
  const leases = dhcp.leases();
  assert.equal(leases.length, 1, `one lease: ${JSON.stringify(leases)}`);
  return { lease: leases[0], acknowledged: dhcp.log().split('DHCPACK(').length - 1 };
}

/** Of all secrets only the user data may be there, in files that only root can read. */
async function checkDisk(target: string, secrets: Readonly<Record<string, string>>): Promise<void> {
  const hits = await findOnDisk(target, secrets);
  for (const { what, path, mode, owner } of hits) {
    console.log(`${what}: ${path === null ? 'in blocks that no file has' : `${path} ${mode} of ${owner}`}`);
  }
  const isClosed = (mode: string | null, owner: number | null): boolean => /^0[64]00$/.test(mode ?? '') && owner === 0;
  const open = hits.filter(({ path, mode, owner }) => path !== null && !isClosed(mode, owner));
  assert.deepEqual(open, []);
  const found = [...new Set(hits.map(({ what }) => what))];
  assert.deepEqual(found, ['user data'], 'neither token nor password is on the disk');
  assert.ok(hits.some(({ path }) => path === '/etc/secret'));
  const state = ['identity.json', 'provision.json'].map((name) => `/var/lib/durantic/${name}`);
  for (const path of [...state, '/etc/durantic/agent.yaml']) {
    assert.deepEqual(await modeOnDisk(target, path), { mode: '0600', owner: 0 }, path);
  }
}

test('S9 F18 F22 F27 F57 UEFI, from the network: an image that cannot be installed is a clear failure to all who look, a good one comes online as itself: one lease, the right disk, no secret left behind', async (context) => {
  await using resources = new Resources();
  using clock = new StageClock(context, 'S9');
  const login = { username: 'puller', password: secret('registry') };
  const userSecret = secret('user-data');
  const firmware = 'ovmf';
  const lab = await InstallLab.create(resources, {
    login,
    dhcpArgs: (server) => [`--dhcp-boot=${server.bootUrl(lanHost)}/boot/ipxe`],
  });
  const { server, dhcp } = lab;
  await lab.push(await buildDebianImage(), 'debian:12');
  await lab.push((await tinyImage(resources)).reference, 'tiny:1');
  const [target, other] = [resources.sparseFile(6 * gib), resources.sparseFile(6 * gib)];
  const otherBefore = statSync(other);
  const guest = await lab.startInstaller({
    // The machine is known by its MAC address and marked: the server's script gives it a token as kernel parameter.
    ...{ medium: 'ipxe-known', firmware, token: null, memoryMib: 1024 },
    card: { hasBootRom: true, bootIndex: 0 },
    disks: [
      { file: other, bus: 'virtio', serial: 'OTHER' },
      { file: target, bus: 'nvme', serial: 'TARGET', bootIndex: 1 },
    ],
  });
  const { vm } = guest;
  const enrolled = await guest.waitForMachine(({ hardware }) => hardware !== null, { timeoutMs: 240_000 });
  assertRecord(enrolled, guest, { firmware, targets: ['TARGET', 'OTHER'] });
  clock.end('power-on to enrolled');
  const machineUuid = enrolled.uuid;
  const installerLease = leaseOf(dhcp);
  const { macs } = guest.identity;
  assert.deepEqual(installerLease.lease, {
    ...(installerLease.lease as object),
    mac: macs[0],
    clientId: `01:${macs[0]}`,
  });

  // An image that cannot be installed leaves the machine where it was, and says so to both who may look.
  const failing = await lab.provision(machineUuid, { image: 'tiny:1', settings: { target_disk: 'serial:TARGET' } });
  const isError = { what: 'error', is: ({ status }: { status: string }) => status === 'error', timeoutMs: 120_000 };
  const failed = await lab.waitForRun(vm, { machineUuid, provisionUuid: failing }, isError);
  assert.deepEqual([failed.error_code, failed.disk_state], ['image_not_provisionable', 'untouched']);
  // See framebuffer-text.ts on m and v.
  await waitForScreen(vm, /i.age_not_pro.isionable/);
  clock.end('refusal of an image that is none');
  const stillThere = (await server.machines()).find(({ uuid }) => uuid === machineUuid);
  assert.deepEqual([stillThere?.is_online, stillThere?.mode], [true, 'installer']);
  const installerLogs = (await lab.collectLogs(machineUuid)).join('\n');

  // As udev would have named it; there is none in the installer.
  const byId = '/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_TARGET';
  const at = { lab, vm, machineUuid, firmware, clock } as const;
  const installed = await installMachine(at, {
    image: 'debian:12',
    settings: { target_disk: byId },
    furtherRoles: { secret: userDataWith(userSecret) },
  });
  assert.equal(installed.run.disk_state, 'complete');

  assert.equal((await server.machines()).length, 1);
  const installedLease = leaseOf(dhcp);
  assert.deepEqual(installedLease.lease, installerLease.lease);
  // Given to the firmware and the installer before; since then to the new system.
  assert.ok(installerLease.acknowledged >= 2, `${installerLease.acknowledged}`);
  assert.ok(installedLease.acknowledged > installerLease.acknowledged, 'the installed system has asked for it');

  const installedLogs = (await lab.collectLogs(machineUuid)).join('\n');
  await assertDiskAtRest(at, installed, target);
  const otherAfter = statSync(other);
  assert.deepEqual([otherAfter.mtimeMs, otherAfter.blocks], [otherBefore.mtimeMs, otherBefore.blocks]);
  // The protected header and key id, with which every token of a server begins.
  const token = (await server.token()).split('..')[0] ?? '';
  assert.ok(token.length > 40, token);
  const secrets = { token, 'registry password': login.password, 'user data': userSecret };
  // The kernel has the token and says with what it was started: the logs would show it were it not taken out.
  assert.match(installerLogs, /Command line: .*durantic\.token=\(hidden\)/);
  for (const [log, text] of Object.entries({ installerLogs, installedLogs, serial: vm.console })) {
    const shown = Object.entries(secrets).filter(([, value]) => text.includes(value));
    assert.deepEqual(shown, [], `secrets in ${log}`);
  }
  await checkDisk(target, secrets);
  assert.doesNotMatch(await readOnDisk(target, '/var/lib/booted-with'), /durantic|token/);
});
