import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { dataFiles } from '../../../control-plane/server/data-files.ts';
import { loadOwnIdentity } from '../../../control-plane/server/tls/own-identity.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { startTestServer } from '../../builders/server.ts';
import { FakeClock } from '../../builders/server-context.ts';
import { Resources, waitFor } from '../../resources.ts';

const dayMs = 24 * 60 * 60 * 1000;
const curl = ['--silent', '--show-error', '--max-time', '10'];

/** The certificate that a new connection is shown, whatever it is worth. */
async function shownCertificate(port: number): Promise<DetailedPeerCertificate> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate(true));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

function spkiHash(certificate: X509Certificate): Buffer {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}

const namesAndFlags = [
  ['-verify_ip', '192.0.2.7'],
  ['-verify_ip', '2001:db8::7'],
  ['-verify_hostname', 'durantic.example.com'],
] as const;

test('OpenSSL accepts certificate and CA by its strict rules, for every name and no other', async () => {
  await using resources = new Resources();
  const files = dataFiles(resources.tempDir());
  await loadOwnIdentity({ files, names: namesAndFlags.map(([, name]) => name), nowMs: Date.now() });
  const verify = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', files.caCertificate];
  for (const flags of namesAndFlags) await runCommand('openssl', [...verify, ...flags, files.tlsCertificate]);
  const other = await runCommand('openssl', [...verify, '-verify_ip', '192.0.2.8', files.tlsCertificate], {
    okExitCodes: [2],
  });
  assert.match(other.stderr, /IP address mismatch/);
});

test('certificates are valid on clocks that are weeks behind, and clients accept their length', async () => {
  await using resources = new Resources();
  const files = dataFiles(resources.tempDir());
  const nowMs = Date.parse('2026-11-20T12:00:00Z');
  await loadOwnIdentity({ files, names: ['a.example'], nowMs });
  const ca = new X509Certificate(readFileSync(files.caCertificate));
  const leaf = new X509Certificate(readFileSync(files.tlsCertificate));
  assert.ok(leaf.validFromDate.getTime() <= nowMs - 29 * dayMs);
  assert.ok(ca.validFromDate.getTime() <= leaf.validFromDate.getTime());
  assert.ok(leaf.validToDate.getTime() - leaf.validFromDate.getTime() <= 398 * dayMs);
  assert.ok(ca.validToDate.getTime() > nowMs + 29 * 365 * dayMs);
});

test('the server sends leaf and CA; curl accepts it by CA file, and by pinned key without any', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { caCertificate: caFile } = dataFiles(server.dataDir);
  const url = `${server.url}/healthz`;
  assert.match((await runCommand('curl', [...curl, '--cacert', caFile, url])).stdout, /"status":"ok"/);
  const pinned = [...curl, '--insecure', '--pinnedpubkey'];
  assert.match((await runCommand('curl', [...pinned, server.leafPin, url])).stdout, /"status":"ok"/);
  const wrongPin = `sha256//${Buffer.alloc(32).toString('base64')}`;
  await runCommand('curl', [...pinned, wrongPin, url], { okExitCodes: [90] });
  await runCommand('curl', [...curl, url], { okExitCodes: [60] });

  const shown = await shownCertificate(server.port);
  const ca = new X509Certificate(server.caCertificate);
  assert.equal(shown.issuerCertificate.fingerprint256, ca.fingerprint256);
  assert.equal(server.pin, `sha256:${spkiHash(ca).toString('hex')}`);
  assert.equal(server.leafPin, `sha256//${spkiHash(new X509Certificate(shown.raw)).toString('base64')}`);
});

test('the certificate is kept while it fits, and made anew for other names with the same key', async () => {
  await using resources = new Resources();
  const files = dataFiles(resources.tempDir());
  const nowMs = Date.now();
  const first = await loadOwnIdentity({ files, names: ['a.example', '2001:db8::7'], nowMs });
  const again = await loadOwnIdentity({ files, names: ['2001:DB8:0::7', 'A.example'], nowMs });
  assert.deepEqual(again, first);
  const other = await loadOwnIdentity({ files, names: ['a.example', 'b.example'], nowMs });
  assert.notEqual(other.cert, first.cert);
  assert.equal(new X509Certificate(other.cert).subjectAltName, 'DNS:a.example, DNS:b.example');
  assert.deepEqual([other.pin, other.leafPin, other.caCertificate], [first.pin, first.leafPin, first.caCertificate]);
});

test('a certificate near its end, of the future, damaged or of another key is made anew; pins stay', async () => {
  await using resources = new Resources();
  const files = dataFiles(resources.tempDir());
  const nowMs = Date.now();
  const load = async (atMs: number) => await loadOwnIdentity({ files, names: ['a.example'], nowMs: atMs });
  const first = await load(nowMs);
  assert.equal((await load(nowMs + 300 * dayMs)).cert, first.cert);
  const later = await load(nowMs + 310 * dayMs);
  assert.notEqual(later.cert, first.cert);
  const back = await load(nowMs);
  assert.notEqual(back.cert, later.cert, 'a certificate that is not valid yet is of no use');
  writeFileSync(files.tlsCertificate, 'damaged');
  const mended = await load(nowMs);
  rmSync(files.caCertificate);
  const reissued = await load(nowMs);
  assert.notEqual(reissued.caCertificate, first.caCertificate);
  rmSync(files.tlsKey);
  const otherKey = await load(nowMs);
  assert.notEqual(otherKey.leafPin, first.leafPin);
  for (const each of [later, back, mended, reissued]) assert.equal(each.leafPin, first.leafPin);
  for (const each of [later, back, mended, reissued, otherKey]) assert.equal(each.pin, first.pin);
  // Who has stored the old CA certificate goes on trusting: key and name of the new one are the same.
  const leaf = new X509Certificate(reissued.cert);
  const oldCa = new X509Certificate(first.caCertificate ?? '');
  assert.ok(leaf.checkIssued(oldCa) && leaf.verify(oldCa.publicKey));
});

test('a CA near its end is made anew for the same key', async () => {
  await using resources = new Resources();
  const files = dataFiles(resources.tempDir());
  const nowMs = Date.now();
  const first = await loadOwnIdentity({ files, names: ['a.example'], nowMs });
  const later = await loadOwnIdentity({ files, names: ['a.example'], nowMs: nowMs + 28 * 365 * dayMs });
  assert.notEqual(later.caCertificate, first.caCertificate);
  assert.equal(later.pin, first.pin);
});

test('a running server renews its certificate and goes on with connections that are open', async () => {
  await using resources = new Resources();
  const clock = new FakeClock(Date.now());
  const server = await startTestServer(resources, { clock, certificateCheckMs: 20 });
  const before = await shownCertificate(server.port);
  const open = connect({ host: '127.0.0.1', port: server.port, ca: server.caCertificate });
  resources.defer('end the open connection', () => {
    open.destroy();
  });
  await once(open, 'secureConnect');
  clock.advance(320 * dayMs);
  const after = await waitFor('another certificate', async () => {
    const shown = await shownCertificate(server.port);
    return shown.serialNumber === before.serialNumber ? undefined : shown;
  });
  assert.equal(`sha256//${spkiHash(new X509Certificate(after.raw)).toString('base64')}`, server.leafPin);
  assert.equal(server.context.leafPin, server.leafPin);
  assert.ok(Date.parse(after.valid_to) > clock.now() + 300 * dayMs);
  open.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n');
  const [answer] = (await once(open, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
});
