import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compactDecrypt, decodeProtectedHeader } from 'jose';
import {
  ensureBootstrapKeys,
  readBootstrapKeys,
  retireBootstrapKey,
  rotateBootstrapKey,
} from '../../../control-plane/enrolment/bootstrap-keys.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { enrolmentServer, factsOf, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

const tokens = '/api/provisioning/bootstrap-tokens/';
const keys = '/api/provisioning/bootstrap-keys/';
const dayMs = 86_400_000;

test('six lifetimes and no other; ten minutes when none is named', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const expected = { '10m': 600_000, '1d': dayMs, '7d': 7 * dayMs, '30d': 30 * dayMs, '90d': 90 * dayMs };
  for (const [lifetime, ms] of Object.entries({ ...expected, '365d': 365 * dayMs })) {
    const { status, body } = await server.call('POST', tokens, { lifetime });
    assert.equal(status, 201);
    assert.equal(body['lifetime'], lifetime);
    assert.equal(Date.parse(String(body['expires_at'])) - server.clock.now(), ms);
  }
  for (const body of [undefined, {}]) {
    assert.equal((await server.call('POST', tokens, body)).body['lifetime'], '10m');
  }
  for (const lifetime of ['2d', '10', 600, null, '', '1D', '365d ', '10m1d', ['10m']]) {
    const reply = await server.call('POST', tokens, { lifetime });
    assert.equal(reply.status, 422, String(lifetime));
    assert.ok(Array.isArray(reply.body['detail']));
  }
});

test('a token is a compact JWE with the claims of the protocol, and nothing of it is stored', async () => {
  await using resources = new Resources();
  const leafPin = 'sha256//q83vASNFZ4k=';
  const server = enrolmentServer(resources, { context: { leafPin } });
  const { body } = await server.call('POST', tokens, { lifetime: '7d' });
  const token = String(body['token']);
  const [key] = readBootstrapKeys(server.context.dataDir);
  assert.ok(key);
  assert.deepEqual(decodeProtectedHeader(token), { alg: 'dir', enc: 'A256GCM', kid: key.kid });
  const claims = JSON.parse(new TextDecoder().decode((await compactDecrypt(token, key.key)).plaintext));
  assert.deepEqual(Object.keys(claims).sort(), ['account', 'aud', 'exp', 'iat', 'iss', 'jti', 'name']);
  assert.equal(claims.aud, 'durantic/enroll');
  assert.equal(claims.account, server.context.accountUuid);
  assert.equal(claims.name, 'rack operator', 'whose API token made it');
  assert.equal(claims.exp - claims.iat, 7 * 86_400);
  assert.equal(
    body['install_command'],
    `curl -k --pinnedpubkey '${leafPin}' -sfL https://server.test:8443/install.sh | DURANTIC_TOKEN=${token} bash -`,
  );
  assert.equal(
    body['kernel_parameters'],
    `durantic.server=https://server.test:8443 durantic.pin=${server.context.pin} durantic.token=${token}`,
  );
  const tables = server.context.db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  for (const { name } of tables) {
    const rows = JSON.stringify(server.context.db.prepare(`SELECT * FROM "${name}"`).all());
    assert.ok(!rows.includes(token) && !rows.includes(claims.jti), String(name));
  }
});

test('the longest token leaves room on a kernel command line of 2,048 bytes', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { status, body } = await server.call('POST', tokens, { lifetime: '365d', name: '漢'.repeat(64) });
  assert.equal(status, 201);
  assert.ok(String(body['kernel_parameters']).length < 1200);
  assert.equal((await server.call('POST', tokens, { name: 'x'.repeat(65) })).status, 422);
});

test('the keys lie in a file of 0600 with an id each; two starts make one file', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const file = join(server.context.dataDir, 'jwe.key');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const before = readFileSync(file, 'utf8');
  assert.equal(ensureBootstrapKeys(server.context.dataDir, server.clock.now()), false);
  assert.equal(readFileSync(file, 'utf8'), before);
  const [entry] = JSON.parse(before);
  assert.deepEqual(Object.keys(entry).sort(), ['created_at', 'key', 'kid']);
  assert.equal(Buffer.from(entry.key, 'base64url').length, 32);
  rotateBootstrapKey(server.context.dataDir, server.clock.now());
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a damaged or missing key file is an error that shows nothing of it', async () => {
  await using resources = new Resources();
  const dataDir = resources.tempDir();
  const file = join(dataDir, 'jwe.key');
  const key = { kid: 'a', key: 'S'.repeat(43), created_at: '2026-01-01T00:00:00Z' };
  const broken = ['', '[]', '{', JSON.stringify([{ ...key, key: 'Secret' }]), JSON.stringify([key, key])];
  for (const text of broken) {
    writeFileSync(file, text);
    assert.throws(
      () => ensureBootstrapKeys(dataDir, 0),
      (error) => {
        assert.ok(error instanceof ProvisionError && error.code === 'server_key_invalid');
        assert.ok(!/Secret|SSSS/.test(`${error.message} ${String(error.cause)}`));
        return true;
      },
    );
    assert.equal(readFileSync(file, 'utf8'), text, 'what is there is never overwritten');
  }
  assert.throws(() => readBootstrapKeys(resources.tempDir()), { code: 'server_key_missing' });
});

test('rotation: the new key issues, the old one stays valid until it is retired', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const old = await server.makeToken('30d');
  const [first] = (await server.call('GET', keys)).body as unknown as Record<string, unknown>[];
  const rotated = await server.call('POST', keys);
  assert.equal(rotated.status, 201);
  const listed = await server.call('GET', keys);
  assert.deepEqual(
    (listed.body as unknown as Record<string, unknown>[]).map((key) => [key['kid'], key['is_issuing']]),
    [
      [first?.['kid'], false],
      [rotated.body['kid'], true],
    ],
  );
  const secrets = readBootstrapKeys(server.context.dataDir).map(({ key }) => Buffer.from(key).toString('base64url'));
  for (const secret of secrets) assert.ok(!`${listed.text}${rotated.text}`.includes(secret));
  const fresh = await server.makeToken();
  assert.equal(decodeProtectedHeader(fresh).kid, rotated.body['kid']);
  assert.equal((await server.enrol(old, randomKey(), factsOf(1))).status, 201);
  assert.equal((await server.call('DELETE', `${keys}${first?.['kid']}`)).status, 204);
  assert.equal((await server.enrol(old, randomKey(), factsOf(2))).status, 401);
  assert.equal((await server.enrol(fresh, randomKey(), factsOf(3))).status, 201);
  assert.equal((await server.call('DELETE', `${keys}${first?.['kid']}`)).status, 404);
});

test('retiring the key that issues makes a new one, also when it was the only one', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { dataDir } = server.context;
  const token = await server.makeToken();
  const [only] = readBootstrapKeys(dataDir);
  assert.ok(only && retireBootstrapKey(dataDir, only.kid, server.clock.now()));
  assert.equal((await server.enrol(token, randomKey(), factsOf(1))).status, 401);
  const [older] = readBootstrapKeys(dataDir);
  const issuing = rotateBootstrapKey(dataDir, server.clock.now());
  retireBootstrapKey(dataDir, issuing.kid, server.clock.now());
  const left = readBootstrapKeys(dataDir);
  assert.equal(left.length, 2);
  assert.notEqual(left.at(-1)?.kid, older?.kid, 'an older key does not issue again');
  assert.equal((await server.enrol(await server.makeToken(), randomKey(), factsOf(1))).status, 201);
});
