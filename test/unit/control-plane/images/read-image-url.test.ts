import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentReference, readImageUrl } from '../../../../control-plane/images/read-image-url.ts';
import { registryHost } from '../../../../control-plane/images/registry-credentials/credential-of-image.ts';
import { registryCredentialCreateSchema } from '../../../../protocol/api/registry-credentials.ts';

for (const [url, reference] of [
  ['ghcr.io/durantic/linux-ubuntu-25.10:latest', 'ghcr.io/durantic/linux-ubuntu-25.10:latest'],
  ['docker://ghcr.io/os/debian', 'ghcr.io/os/debian:latest'],
  ['https://registry.test:5000/os/debian:12', 'registry.test:5000/os/debian:12'],
  ['http://registry.test:5000/os/debian:12', 'http://registry.test:5000/os/debian:12'],
  ['debian', 'docker.io/library/debian:latest'],
] as const) {
  test(`${url} reaches an agent as ${reference}`, () => assert.equal(agentReference(readImageUrl(url)), reference));
}

for (const url of ['oci:/srv/image', 'ftp://host/os/x', 'https://user:pw@host/os/x', 'HOST/Upper', '', 'http://']) {
  test(`${JSON.stringify(url)} is no image`, () => {
    assert.throws(() => readImageUrl(url), { code: 'reference_invalid' });
  });
}

test('registries are compared by host, under whatever name docker.io goes', () => {
  assert.equal(registryHost('https://GHCR.io/'), 'ghcr.io');
  assert.equal(registryHost('europe-docker.pkg.dev/project'), 'europe-docker.pkg.dev');
  for (const name of ['docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io']) {
    assert.equal(registryHost(name), 'docker.io');
  }
});

for (const [given, kept] of [
  ['https://ghcr.io', 'ghcr.io'],
  ['http://registry.test:5000/', 'registry.test:5000'],
  ['ghcr.io', 'ghcr.io'],
  ['europe-docker.pkg.dev/project', 'europe-docker.pkg.dev/project'],
] as const) {
  test(`the registry URL ${given} is kept as ${kept}`, () => {
    const body = { name: 'n', registry_url: given, username: 'u', password: 'p' };
    assert.equal(registryCredentialCreateSchema.parse(body).registry_url, kept);
  });
}

test('a registry URL with a user name in it is refused', () => {
  const body = { name: 'n', registry_url: 'https://user:pw@host', username: 'u', password: 'p' };
  assert.equal(registryCredentialCreateSchema.safeParse(body).success, false);
});
