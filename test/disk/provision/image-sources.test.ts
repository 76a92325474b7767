import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { makeBootDisk, smallestSystem, writeBootImage } from '../../builders/boot-image.ts';
import { openBuildah } from '../../builders/buildah.ts';
import { makeCertificates } from '../../builders/certificates.ts';
import { checkInstalledDisk, mountInstalledRoot, openInstalledDisk } from '../../builders/installed-disk.ts';
import { provision, provisionOk, runBinary } from '../../builders/provision.ts';
import { startRegistry } from '../../builders/registry.ts';
import { buildTar } from '../../builders/tar-builder.ts';
import { startTokenServer } from '../../fakes/token-server.ts';
import { Resources } from '../../resources.ts';

const mib = 1024 ** 2;
const repo = join(import.meta.dirname, '../../..');
const resources = new Resources();
after(() => resources[Symbol.asyncDispose]());

let bootDisk = '';
before(async () => {
  bootDisk = await makeBootDisk(resources);
});

/** Installs and gives the mounted root; the disk is checked by others than us. */
async function install(own: Resources, image: string, ...flags: string[]): Promise<string> {
  const file = own.sparseFile(1024 * mib);
  await provisionOk({ image, disk: file, flags: ['--no-inject-agent', ...flags] });
  const disk = await openInstalledDisk(own, file);
  await checkInstalledDisk(disk);
  return await mountInstalledRoot(own, disk);
}

/** A system with a marker, by which one image is told from another. */
function markedSystem(marker: string): Buffer {
  return buildTar([...smallestSystem, { name: 'marker', data: marker }]);
}

/** The smallest system as a folder, for programs that take one. */
async function systemFolder(own: Resources, marker: string): Promise<string> {
  const folder = own.tempDir();
  await runCommand('tar', ['-C', folder, '-xf', '-'], { input: markedSystem(marker) });
  return folder;
}

test('an image of `durantic image build`, with a base and a layer, in a registry', async () => {
  await using own = new Resources();
  const registry = await startRegistry(own);
  const base = `${registry.host}/os/base:1`;
  const build = async (...args: string[]): Promise<void> => {
    const run = await runBinary(['image', 'build', '--plain-http', ...args]);
    assert.equal(run.exitCode, 0, run.stderr);
  };
  await build('--make-disk', '--root', await systemFolder(own, 'base'), '--to', `docker://${base}`);
  const layer = own.tempDir();
  writeFileSync(join(layer, 'marker'), 'derived');
  const derived = `${registry.host}/os/derived:1`;
  await build('--from', base, '--layer', layer, '--compress', 'gzip', '--to', `docker://${derived}`);
  const inspected = await runBinary(['inspect', '--plain-http', '--json', derived]);
  assert.equal(inspected.exitCode, 0, inspected.stderr);
  const { layers, disk } = JSON.parse(inspected.stdout);
  assert.deepEqual(
    layers.map(({ codec }: { codec: string }) => codec),
    ['zstd', 'zstd', 'gzip'],
  );
  assert.equal(disk.form, 'raw');
  const root = await install(own, derived, '--plain-http');
  assert.equal(readFileSync(join(root, 'marker'), 'utf8'), 'derived');
  assert.ok(existsSync(join(root, 'boot/vmlinuz-1')));
});

test('an index of several platforms with attestations: the image of the wanted platform', async () => {
  await using own = new Resources();
  const registry = await startRegistry(own);
  const other = (architecture: string) => ({
    layers: [{ bytes: markedSystem(architecture), codec: 'zstd' as const }],
    platform: { os: 'linux', architecture },
  });
  const { reference } = await writeBootImage(own, {
    disk: bootDisk,
    system: [...smallestSystem, { name: 'marker', data: 'amd64' }],
    index: { others: [other('arm64'), other('riscv64')], attestations: true },
  });
  const image = await registry.push(reference, 'os/index:1');
  const root = await install(own, image, '--plain-http');
  assert.equal(readFileSync(join(root, 'marker'), 'utf8'), 'amd64');
});

test('HTTPS with a private CA: refused without --registry-ca, installed with it', async () => {
  await using own = new Resources();
  const tls = await makeCertificates(own);
  const registry = await startRegistry(own, { tls });
  const { reference } = await writeBootImage(own, { disk: bootDisk });
  const image = await registry.push(reference, 'os/private:1');
  const file = own.sparseFile(600 * mib);
  const { exitCode, last } = await provision({ image, disk: file });
  assert.deepEqual([exitCode, last?.code, last?.disk_state], [3, 'tls_untrusted', 'untouched']);
  const root = await install(own, image, '--registry-ca', tls.caFile);
  assert.ok(existsSync(join(root, 'boot/vmlinuz-1')));
});

test('a registry that wants bearer tokens, from a token server that asks for no credentials', async () => {
  await using own = new Resources();
  const tokens = await startTokenServer(own);
  const registry = await startRegistry(own, { tokenAuth: tokens });
  const { reference } = await writeBootImage(own, { disk: bootDisk });
  const image = await registry.push(reference, 'os/tokens:1');
  tokens.requests.splice(0);
  const root = await install(own, image, '--plain-http');
  assert.ok(existsSync(join(root, 'boot/vmlinuz-1')));
  assert.ok(tokens.requests.length > 0, 'a token was asked for');
  for (const { scopes, authorization } of tokens.requests) {
    assert.deepEqual([scopes, authorization], [['repository:os/tokens:pull'], null]);
  }
});

test('what plain `buildah build` makes, one layer of everything, is refused by inspect and provision with the way out', async () => {
  await using own = new Resources();
  const context = own.tempDir();
  await runCommand('zstd', ['-q', '-1', bootDisk, '-o', join(context, 'disk.raw.zst')]);
  const folder = await systemFolder(own, 'squashed');
  await runCommand('tar', ['-C', folder, '-cf', join(context, 'rootfs.tar'), '.']);
  cpSync(join(repo, 'images/debian-12/Containerfile'), join(context, 'Containerfile'));
  const buildah = openBuildah(own);
  await buildah('build', '--isolation', 'chroot', '-t', 'squashed', context);
  const layout = join(own.tempDir(), 'layout');
  mkdirSync(layout);
  await buildah('push', 'squashed', `oci:${layout}:x`);

  const file = own.sparseFile(600 * mib);
  const before = (await runCommand('sha256sum', [file])).stdout;
  const inspected = await runBinary(['inspect', `oci:${layout}:x`]);
  assert.equal(inspected.exitCode, 2);
  assert.match(inspected.stdout, /^Provisionable: no$/m);
  assert.match(inspected.stderr, /^durantic: layer 0 .*buildah build --layers.*\[image_not_provisionable\]\n$/);
  const { exitCode, last } = await provision({ image: `oci:${layout}:x`, disk: file });
  assert.deepEqual([exitCode, last?.code, last?.disk_state], [2, 'image_not_provisionable', 'untouched']);
  assert.match(last?.message ?? '', /buildah build --layers/);
  assert.equal((await runCommand('sha256sum', [file])).stdout, before);

  await buildah('build', '--layers', '--isolation', 'chroot', '-t', 'layered', context);
  await buildah('push', 'layered', `oci:${layout}:layered`);
  assert.equal((await runBinary(['inspect', `oci:${layout}:layered`])).exitCode, 0);
});
