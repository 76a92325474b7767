import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type FetchOptions,
  fetchKernelSource,
  type KernelSource,
  kernelSources,
} from '../../../../../scripts/build/kernel/fetch-kernel-source.ts';
import { Resources } from '../../../../resources.ts';

const right = 'the right archive';
const sha256 = createHash('sha256').update(right).digest('hex');

function optionsIn(folder: string, given?: string): FetchOptions & { readonly lines: string[] } {
  const lines: string[] = [];
  const pin = {
    version: '6.18.15',
    tarball: 'linux.tar.xz',
    sha256,
    debianSource: 'linux=1',
    debianSuite: 'none',
    kernelOrgUrl: 'http://127.0.0.1:1/linux.tar.xz',
    firmwareSuite: 'none',
  };
  const print = (line: string): void => void lines.push(line);
  return { pin, cacheFolder: join(folder, 'cache'), print, signal: AbortSignal.timeout(10_000), given, lines };
}

function fileWith(folder: string, name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const source = (name: string, find: KernelSource['find']): KernelSource => ({ name, find });

test('the sources are tried in the order that the issue gives', () => {
  assert.deepEqual(
    kernelSources.map(({ name }) => name),
    ['KERNEL_TARBALL', 'the cache', '../shared/kernel', 'apt-get source', 'kernel.org'],
  );
});

test('the first source with the right checksum is taken; absent, failing and wrong ones before it are passed over', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const options = optionsIn(folder);
  const found = await fetchKernelSource(options, [
    source('absent', async () => undefined),
    source('failing', async () => await Promise.reject(new Error('the wire is cut'))),
    source('wrong', async () => fileWith(folder, 'wrong', 'another archive')),
    source('good', async () => fileWith(folder, 'good', right)),
    source('never', async () => assert.fail('asked although there was one')),
  ]);
  assert.equal(found, join(folder, 'good'));
  assert.match(options.lines.join('\n'), /failing: the wire is cut\n.*wrong has the SHA-256 [0-9a-f]{64}\n/);
});

test('without any, the message names each source, what was wrong with it, and what a person can do', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const sources = [
    source('first', async () => fileWith(folder, 'wrong', 'another archive')),
    source('second', async () => await Promise.reject(new Error('the wire is cut'))),
  ];
  await assert.rejects(
    fetchKernelSource(optionsIn(folder), sources),
    /no source of Linux 6\.18\.15[\s\S]*first: .* has the SHA-256[\s\S]*second: the wire is cut[\s\S]*KERNEL_TARBALL=/,
  );
});

test('a file that KERNEL_TARBALL names is taken or refused, never replaced by another source', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const good = fileWith(folder, 'good', right);
  assert.equal(await fetchKernelSource(optionsIn(folder, good)), good);
  const wrong = fileWith(folder, 'wrong', 'another archive');
  await assert.rejects(fetchKernelSource(optionsIn(folder, wrong)), /KERNEL_TARBALL: .*wrong has the SHA-256/);
  await assert.rejects(fetchKernelSource(optionsIn(folder, join(folder, 'none'))), /KERNEL_TARBALL: there is no file/);
});

test('a URL in KERNEL_TARBALL is downloaded into the cache, under its name only when the checksum is right', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const server = createServer((request, answer) => answer.end(request.url === '/right' ? right : 'another archive'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resources.defer('close the server', () => void server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const url = `http://127.0.0.1:${address.port}`;
  const options = optionsIn(folder, `${url}/wrong`);
  await assert.rejects(fetchKernelSource(options), /KERNEL_TARBALL: what was downloaded has the SHA-256/);
  assert.deepEqual(readdirSync(options.cacheFolder), []);
  const file = await fetchKernelSource(optionsIn(folder, `${url}/right`));
  assert.equal(file, join(options.cacheFolder, 'linux.tar.xz'));
  assert.ok(existsSync(file));
});

test('a damaged file in the cache is not used', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const options = { ...optionsIn(folder), cacheFolder: folder };
  fileWith(folder, 'linux.tar.xz', 'damaged');
  const cache = kernelSources.filter(({ name }) => name === 'the cache');
  await assert.rejects(fetchKernelSource(options, cache), /the cache: .*linux\.tar\.xz has the SHA-256/);
});
