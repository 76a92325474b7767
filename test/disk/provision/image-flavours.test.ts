import assert from 'node:assert/strict';
import { lstatSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import type { BundleManifest } from '../../../protocol/bundle-manifest.ts';
import { openBuildah } from '../../builders/buildah.ts';
import {
  checkInstalledDisk,
  type InstalledDisk,
  mountInstalledRoot,
  openInstalledDisk,
} from '../../builders/installed-disk.ts';
import { binary, type ProvisionRun, provisionOk, runBinary } from '../../builders/provision.ts';
import { type Registry, startRegistry } from '../../builders/registry.ts';
import { Resources } from '../../resources.ts';

const gib = 1024 ** 3;
const repo = join(import.meta.dirname, '../../..');
const resources = new Resources();
after(() => resources[Symbol.asyncDispose]());

let registry: Registry;
before(async () => {
  registry = await startRegistry(resources);
  await runCommand(join(repo, 'scripts/build-image'), ['debian-12']);
});

interface Installed {
  readonly disk: InstalledDisk;
  readonly root: string;
  readonly run: ProvisionRun;
}

/** Installs with the agent, has the disk checked and its root mounted. */
async function install(own: Resources, image: string, flags: readonly string[]): Promise<Installed> {
  const file = own.sparseFile(6 * gib);
  const run = await provisionOk({ image, disk: file, flags });
  const disk = await openInstalledDisk(own, file);
  await checkInstalledDisk(disk);
  return { disk, root: await mountInstalledRoot(own, disk), run };
}

test('an image pushed by skopeo: a whole Debian with user-data, host name, kernel parameter and agent', async (context) => {
  await using own = new Resources();
  const image = await registry.push(`oci:${join(repo, 'dist/images/debian-12')}:latest`, 'os/debian:12');
  const userData = join(own.tempDir(), 'user-data');
  writeFileSync(userData, '#cloud-config\nruncmd: [[touch, /it-ran]]\n');
  const flags = ['--plain-http', '--user-data', userData, '--hostname', 'first', '--append-karg', 'console=ttyS1,9600'];
  const { disk, root, run } = await install(own, image, flags);
  context.diagnostic(`installed in ${run.seconds.toFixed(1)} s`);
  assert.deepEqual(
    run.events.filter(({ state }) => state === 'warning'),
    [],
  );
  assertSeed(root, readFileSync(userData, 'utf8'), run.events[0]?.provision_uuid ?? '');
  assertAgent(root);
  const fstab = readFileSync(join(root, 'etc/fstab'), 'utf8');
  assert.ok(fstab.includes(`UUID=${disk.partition('root').fsUuid}`), fstab);
  assert.match(readFileSync(join(root, 'boot/grub/grub.cfg'), 'utf8'), /linux .*console=ttyS1,9600/);
  assert.equal(statSync(join(root, 'etc/machine-id')).size, 0);
});

function assertSeed(root: string, userData: string, provisionUuid: string): void {
  const seed = (name: string): string => join(root, 'var/lib/cloud/seed/nocloud', name);
  assert.equal(readFileSync(seed('user-data'), 'utf8'), userData);
  const metaData = readFileSync(seed('meta-data'), 'utf8');
  assert.ok(metaData.includes(provisionUuid) && metaData.includes('first'), metaData);
  assert.match(readFileSync(join(root, 'etc/cloud/cloud.cfg.d/99_durantic.cfg'), 'utf8'), /\[NoCloud, None\]/);
  for (const name of ['user-data', 'meta-data', 'vendor-data', 'network-config']) {
    assert.equal(statSync(seed(name)).mode & 0o777, 0o600, name);
  }
}

/** The bundle that the installer itself is from, started at boot. */
function assertAgent(root: string): void {
  const bundle = join(binary, '../bundle');
  const manifest = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8')) as BundleManifest;
  const installed = join(root, 'usr/local/lib/durantic');
  assert.ok(readFileSync(join(installed, 'durantic')).equals(readFileSync(join(bundle, 'durantic'))));
  assert.equal(JSON.parse(readFileSync(join(installed, 'manifest.json'), 'utf8')).version, manifest.version);
  assert.match(readlinkSync(join(root, 'usr/local/bin/durantic')), /lib\/durantic\/durantic$/);
  const wanted = join(root, 'etc/systemd/system/multi-user.target.wants/durantic-agent.service');
  assert.ok(lstatSync(wanted).isSymbolicLink());
}

test('an image of ordinary tools: Debian from its Containerfile, a user’s FROM on top, both pushed by buildah', async (context) => {
  await using own = new Resources();
  const buildah = openBuildah(own);
  const folder = join(own.tempDir(), 'context');
  await runCommand(join(repo, 'scripts/build-image'), ['debian-12', '--context', folder]);
  await buildah('build', '--layers', '--isolation', 'chroot', '-t', 'debian', folder);
  const base = `${registry.host}/buildah/debian:12`;
  await buildah('push', '--tls-verify=false', 'debian', `docker://${base}`);
  const from = ['--tls-verify=false', '--build-arg', `BASE=${base}`];
  await buildah('build', '--layers', '--isolation', 'chroot', ...from, '-t', 'web', join(repo, 'images/debian-12-web'));
  const derived = `${registry.host}/buildah/web:12`;
  await buildah('push', '--tls-verify=false', 'web', `docker://${derived}`);
  for (const image of [base, derived]) {
    await using one = new Resources();
    const inspected = await runBinary(['inspect', '--plain-http', '--json', image]);
    assert.equal(inspected.exitCode, 0, inspected.stderr);
    assert.equal(JSON.parse(inspected.stdout).disk.form, 'tar');
    const { root, run } = await install(one, image, ['--plain-http', '--no-inject-agent']);
    context.diagnostic(`${image}: installed in ${run.seconds.toFixed(1)} s`);
    assert.ok(statSync(join(root, 'usr/bin/systemctl')).size > 0);
    assert.throws(() => lstatSync(join(root, 'disk.raw.zst')), { code: 'ENOENT' });
    if (image === base) continue;
    assert.match(readFileSync(join(root, 'srv/www/index.html'), 'utf8'), /\w/);
    assert.ok(lstatSync(join(root, 'etc/systemd/system/multi-user.target.wants/web.service')).isSymbolicLink());
  }
});
