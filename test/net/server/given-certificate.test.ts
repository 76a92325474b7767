import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadGivenIdentity } from '../../../control-plane/server/tls/given-identity.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { makeCertificates } from '../../builders/certificates.ts';
import { collectingLogger } from '../../builders/collecting-logger.ts';
import { startTestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';

const dayMs = 24 * 60 * 60 * 1000;

test('a given certificate is used; the pin is that of the given CA, or there is none', async () => {
  await using resources = new Resources();
  const { caFile, certFile, keyFile } = await makeCertificates(resources);
  const tls = { kind: 'given', certFile, keyFile } as const;
  const server = await startTestServer(resources, { settings: { tls: { ...tls, caFile } } });
  assert.equal((await server.api('GET', '/healthz')).status, 200);
  const ca = new X509Certificate(readFileSync(caFile));
  const spki = ca.publicKey.export({ type: 'spki', format: 'der' });
  assert.equal(server.pin, `sha256:${createHash('sha256').update(spki).digest('hex')}`);
  assert.equal(new X509Certificate(server.caCertificate).fingerprint256, ca.fingerprint256);

  const publicly = await startTestServer(resources, { settings: { tls: { ...tls, caFile: null } } });
  assert.deepEqual([publicly.context.pin, publicly.context.caCertificate], [null, null]);
  assert.match(publicly.leafPin, /^sha256\/\//);
});

test('a given certificate that is replaced on the disk is taken; one that does not fit is not', async () => {
  await using resources = new Resources();
  const [first, second] = [await makeCertificates(resources), await makeCertificates(resources)];
  const { certFile, keyFile } = first;
  const { log, lines } = collectingLogger();
  const server = await startTestServer(resources, {
    settings: { tls: { kind: 'given', certFile, keyFile, caFile: null } },
    certificateCheckMs: 20,
    log,
  });
  const { leafPin } = server;
  const other = await loadGivenIdentity({ ...second, caFile: null, names: [], nowMs: Date.now() });
  writeFileSync(certFile, 'half');
  copyFileSync(second.keyFile, keyFile);
  await waitFor('a report', () => lines.some(({ msg }) => /cannot be renewed; the current one is kept/.test(msg)));
  assert.equal(server.context.leafPin, leafPin);
  copyFileSync(second.certFile, certFile);
  await waitFor('the other certificate', () => server.context.leafPin === other.leafPin);
});

test('what does not fit together is refused with a sentence', async () => {
  await using resources = new Resources();
  const [own, other] = [await makeCertificates(resources), await makeCertificates(resources)];
  const good = { ...own, names: ['127.0.0.1', 'localhost'], nowMs: Date.now() };
  loadGivenIdentity(good);
  const nothing = `${own.certFile}.none`;
  const cases: [string, Partial<typeof good>, RegExp][] = [
    ['another key', { keyFile: other.keyFile }, /tls\.key is not the key of the certificate in .*tls\.pem$/],
    ['another CA', { caFile: other.caFile }, /tls\.pem does not lead to the CA in .*ca\.pem$/],
    ['a CA that is none', { caFile: own.certFile }, /does not lead to the CA/],
    ['another name', { names: ['a.example'] }, /tls\.pem is not for a\.example, which is one of the public URLs$/],
    ['another address', { names: ['192.0.2.1'] }, /is not for 192\.0\.2\.1/],
    ['its end is past', { nowMs: Date.now() + 3 * dayMs }, /tls\.pem expired on/],
    ['no certificate', { certFile: own.keyFile }, /tls\.key cannot be read as a certificate$/],
    ['no key', { keyFile: own.certFile }, /tls\.pem cannot be read as a private key/],
    ['no file', { certFile: nothing }, /tls\.pem\.none cannot be read as a certificate$/],
  ];
  for (const [what, change, message] of cases) {
    const check = (error: unknown): boolean =>
      error instanceof ProvisionError && error.code === 'certificate_unusable' && message.test(error.message);
    assert.throws(() => loadGivenIdentity({ ...good, ...change }), check, what);
  }
});
