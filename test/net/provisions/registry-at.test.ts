import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProvisionError } from '../../../core/base/errors.ts';
import type { ConnectTo } from '../../../core/oci/create-dispatcher.ts';
import { parseReference } from '../../../core/oci/reference.ts';
import { openRegistrySource } from '../../../core/oci/registry-source.ts';
import { makeCertificates } from '../../builders/certificates.ts';
import { startProvisionServer } from '../../builders/provision-server.ts';
import { type Registry, startRegistry } from '../../builders/registry.ts';
import { tinyImage } from '../../builders/tiny-image.ts';
import { Resources } from '../../resources.ts';

/** A name that leads nowhere (RFC 5737) to where the registry is. */
const behind = (name: string, { host }: Registry): ConnectTo =>
  new Map([[name, { host: '127.0.0.1', port: Number(host.split(':')[1]) }]]);

test('a registry that only machines reach by its name: the server asks at the address it was told, machines get the name', async () => {
  await using resources = new Resources();
  const registry = await startRegistry(resources);
  const image = await tinyImage(resources);
  await registry.push(image.reference, 'os/tiny:1');
  const connectTo = behind('192.0.2.99:5000', registry);
  const server = await startProvisionServer(resources, { registries: { connectTo } });
  server.useImage('http://192.0.2.99:5000/os/tiny:1');
  const machine = server.machine();
  server.service.queue(machine.uuid);
  await server.service.settled();
  await machine.bootInstaller();
  const { args } = await machine.take();
  assert.deepEqual([args.image.reference, args.image.digest], ['http://192.0.2.99:5000/os/tiny:1', image.digest]);
});

test('with TLS the certificate must be that of the name', async () => {
  await using resources = new Resources();
  const tls = await makeCertificates(resources);
  const registry = await startRegistry(resources, { tls });
  const image = await tinyImage(resources);
  await registry.push(image.reference, 'os/tiny:1');
  const resolve = async (name: string): Promise<string> => {
    const reference = parseReference(`${name}/os/tiny:1`);
    assert.ok(reference.kind === 'registry');
    const { signal } = new AbortController();
    const options = { plainHttp: false, caFile: tls.caFile, retryPolicy: { attempts: 1 }, signal };
    const connectTo = behind(name, registry);
    const source = await openRegistrySource(reference, { ...options, connectTo });
    try {
      return (await source.resolve({ os: 'linux', architecture: 'amd64' }, { signal })).manifestDigest;
    } finally {
      await source.close();
    }
  };
  assert.equal(await resolve('localhost:4443'), image.digest);
  await assert.rejects(
    resolve('registry.test:4443'),
    (error) => error instanceof ProvisionError && /certificate|tls/i.test(`${error.code} ${error.message}`),
  );
});
