import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAgentConfig, readAgentConfig } from '../../../../agent/config/read-agent-config.ts';
import { readIdentity } from '../../../../agent/identity/read-identity.ts';
import { Resources } from '../../../resources.ts';

test('reads every key', () => {
  const text = [
    'server: https://durantic.example:8443',
    `pin: sha256:${'ab'.repeat(32)}`,
    'ca: |',
    '  -----BEGIN CERTIFICATE-----',
    '  MIIB',
    '  -----END CERTIFICATE-----',
    'proxy: http://proxy.example:3128',
    'no_proxy: [localhost, .example]',
    'labels: {rack: r1}',
    'log_level: debug',
  ].join('\n');
  const config = parseAgentConfig(text, 'agent.yaml');
  assert.equal(config.server, 'https://durantic.example:8443');
  assert.deepEqual(config.labels, { rack: 'r1' });
});

test('plain HTTP is allowed where it is asked for by name', () => {
  assert.equal(parseAgentConfig('server: http://x:8080\nplain_http: true\n', 'agent.yaml').server, 'http://x:8080');
});

const bad: readonly (readonly [string, RegExp])[] = [
  ['', /^agent\.yaml, line 1: server: /],
  ['server: https://x\nsever: y\n', /^agent\.yaml, line 2: sever: is no key/],
  ['sever: https://x\n', /^agent\.yaml, line 1: sever: is no key/],
  ['server: ftp://x\n', /^agent\.yaml, line 1: server: must be an http/],
  ['# x\nserver: https://x\npin: sha256:12\n', /^agent\.yaml, line 3: pin: must be sha256/],
  ['server: https://x\nlabels:\n  a: 1\n', /^agent\.yaml, line 3: labels\.a: /],
  ['server: http://x\n', /^agent\.yaml, line 1: server: is plain HTTP.*plain_http: true/],
  ['server: http://x\nplain_http: false\n', /^agent\.yaml, line 1: server: is plain HTTP/],
  ['server: https://x/path\n', /^agent\.yaml, line 1: server: must be scheme, host and port only/],
  ['server: https://user:secret@x\n', /^agent\.yaml, line 1: server: must be scheme, host and port only$/],
  ['server: [\n', /^agent\.yaml, line \d: /],
  ['- a\n', /^agent\.yaml, line 1: /],
];
for (const [text, expected] of bad) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseAgentConfig(text, 'agent.yaml'), { code: 'document_invalid', message: expected });
  });
}

test('a file that is not there is no error, one that is a folder is', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  assert.equal(readAgentConfig(join(dir, 'x/agent.yaml')), null);
  assert.throws(() => readAgentConfig(dir), { code: 'permission' });
});

test('an identity is checked, and its errors never hold the key', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'identity.json');
  assert.equal(readIdentity(file), null);
  const key = 'A'.repeat(43);
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: key };
  const identity = {
    machine_uuid: '11111111-2222-4333-8444-555555555555',
    public_key: jwk,
    private_key: { ...jwk, d: key },
  };
  writeFileSync(file, JSON.stringify(identity));
  assert.deepEqual(readIdentity(file), identity);
  const secret = 'supersecret';
  writeFileSync(file, JSON.stringify({ ...identity, private_key: { ...jwk, d: secret } }));
  assert.throws(
    () => readIdentity(file),
    (error: Error) => /private_key\.d/.test(error.message) && !error.message.includes(secret),
  );
  writeFileSync(file, `{${secret}`);
  assert.throws(
    () => readIdentity(file),
    (error: Error) => !error.message.includes(secret) && error.cause === undefined,
  );
});
