import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CommandResult, runCommand } from '../../../core/base/run-command.ts';
import { buildImage } from '../../../images/build/build-image.ts';
import { startRegistry } from '../../builders/registry.ts';
import { Resources } from '../../resources.ts';

const containerfile = join(import.meta.dirname, '../../../images/debian-12/Containerfile');

interface Layout {
  readonly layers: readonly { readonly digest: string; readonly mediaType: string }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly files: readonly (readonly string[])[];
}

/** buildah with a store of its own, removed with the test. */
function openBuildah(resources: Resources): (...args: string[]) => Promise<CommandResult> {
  const dir = resources.tempDir('durantic-buildah-');
  const store = ['--root', join(dir, 'root'), '--runroot', join(dir, 'run'), '--storage-driver', 'vfs'];
  return async (command, ...args) => await runCommand('buildah', [...store, command, ...args]);
}

async function readLayout(dir: string): Promise<Layout> {
  const read = (digest: string) => JSON.parse(readFileSync(join(dir, 'blobs/sha256', digest.slice(7)), 'utf8'));
  const manifest = read(JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8')).manifests[0].digest);
  const files: string[][] = [];
  for (const { digest } of manifest.layers) {
    const { stdout } = await runCommand('tar', ['-tf', join(dir, 'blobs/sha256', digest.slice(7))]);
    files.push(stdout.split('\n').filter((name) => name !== '' && !name.endsWith('/')));
  }
  return { layers: manifest.layers, labels: read(manifest.config.digest).config.Labels, files };
}

/** What `scripts/build-image debian-12 --context` writes, with a root of two files. */
async function writeContext(resources: Resources): Promise<string> {
  const context = resources.tempDir();
  const layout = resources.tempDir();
  const image = await buildImage({
    ...{ disk: { kind: 'make' }, diskForm: 'raw', sectorBytes: 512, root: null, from: null, layers: [], labels: {} },
    ...{ to: `oci:${layout}:x`, codec: 'zstd', platform: { os: 'linux', architecture: 'amd64' } },
    ...{ plainHttp: false, registryCaFile: null, sourceDateEpoch: null, signal: new AbortController().signal },
  });
  const blob = image.layers[0]?.digest.slice(7) ?? '';
  copyFileSync(join(layout, 'blobs/sha256', blob), join(context, 'disk.raw.zst'));
  const root = join(context, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/os-release'), 'ID=test\n');
  await runCommand('tar', ['-C', root, '-cf', join(context, 'rootfs.tar'), '.']);
  rmSync(root, { recursive: true });
  copyFileSync(containerfile, join(context, 'Containerfile'));
  return context;
}

test('the Containerfile of a recipe gives layer 0 and root as layers, and FROM inherits layers and labels', async () => {
  await using resources = new Resources();
  const buildah = openBuildah(resources);
  const registry = await startRegistry(resources);
  const context = await writeContext(resources);
  await buildah('build', '--layers', '--isolation', 'chroot', '-t', 'base', context);
  const baseDir = join(resources.tempDir(), 'base');
  await buildah('push', 'base', `oci:${baseDir}:x`);
  const base = await readLayout(baseDir);
  assert.deepEqual(base.files, [['disk.raw.zst'], ['etc/os-release']]);
  const labels = {
    'durantic.root.type': 'ext4',
    'durantic.disk.bytes': String(523 * 1024 * 1024),
    'durantic.disk.sector-size': '512',
  };
  assert.deepEqual({ ...base.labels, ...labels }, base.labels);

  const reference = `${registry.host}/os/base:x`;
  await buildah('push', '--tls-verify=false', 'base', `docker://${reference}`);
  const derivedContext = resources.tempDir();
  writeFileSync(join(derivedContext, 'page'), 'hello');
  writeFileSync(join(derivedContext, 'Containerfile'), `FROM ${reference}\nCOPY page /srv/page\n`);
  const flags = ['--layers', '--isolation', 'chroot', '--tls-verify=false'];
  await buildah('build', ...flags, '-t', 'derived', derivedContext);
  const derivedDir = join(resources.tempDir(), 'derived');
  await buildah('push', 'derived', `oci:${derivedDir}:x`);
  const derived = await readLayout(derivedDir);
  assert.deepEqual(derived.files, [...base.files, ['srv/page']]);
  assert.deepEqual({ ...derived.labels, ...labels }, derived.labels);
});

test('plain buildah build, without --layers, mixes disk and root in one layer', async () => {
  await using resources = new Resources();
  const buildah = openBuildah(resources);
  await buildah('build', '--isolation', 'chroot', '-t', 'squashed', await writeContext(resources));
  const dir = join(resources.tempDir(), 'squashed');
  await buildah('push', 'squashed', `oci:${dir}:x`);
  const { files } = await readLayout(dir);
  assert.equal(files.length, 1);
  assert.deepEqual([...(files[0] ?? [])].sort(), ['disk.raw.zst', 'etc/os-release']);
});
