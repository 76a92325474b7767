import assert from 'node:assert/strict';
import { createPublicKey, randomUUID, verify } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeAgentConfig } from '../../../../agent/config/write-agent-config.ts';
import { makeKeyPair, signWith } from '../../../../agent/identity/make-identity.ts';
import { readIdentity } from '../../../../agent/identity/read-identity.ts';
import { keyForEnrolment, writeIdentity } from '../../../../agent/identity/write-identity.ts';
import { Resources } from '../../../resources.ts';

test('a key pair signs as its public half verifies, and no two are alike', () => {
  const keys = makeKeyPair();
  const data = Buffer.from('text');
  const signature = signWith(keys, data);
  assert.match(signature, /^[A-Za-z0-9_-]{86}$/);
  const publicKey = createPublicKey({ key: keys.public_key, format: 'jwk' });
  assert.ok(verify(null, data, publicKey, Buffer.from(signature, 'base64url')));
  assert.ok(!verify(null, Buffer.from('other'), publicKey, Buffer.from(signature, 'base64url')));
  assert.notEqual(makeKeyPair().private_key.d, keys.private_key.d);
});

test('the key of an enrolment is kept before it is used and is the identity after it; files are private', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'state/identity.json');
  const keys = keyForEnrolment(file);
  assert.deepEqual(keyForEnrolment(file), keys);
  assert.equal(readIdentity(file), null);
  const pending = join(file, '../enrolling-key.json');
  assert.equal(statSync(pending).mode & 0o777, 0o600);
  const identity = { machine_uuid: randomUUID(), ...keys };
  writeIdentity(file, identity);
  assert.deepEqual(readIdentity(file), identity);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!existsSync(pending));
  assert.deepEqual(keyForEnrolment(file), keys);
  assert.deepEqual(readdirSync(join(file, '..')), ['identity.json']);
});

test('agent.yaml keeps other keys and comments, is private, and is left alone when nothing changes or would be wrong', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'etc/agent.yaml');
  writeAgentConfig(file, { server: 'https://a.test' });
  assert.equal(readFileSync(file, 'utf8'), 'server: https://a.test\n');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const pin = `sha256:${'ab'.repeat(32)}`;
  writeFileSync(file, `# first\nserver: https://a.test # here\npin: ${pin}\nlabels: { rack: r1 }\n`);
  writeAgentConfig(file, { server: 'https://b.test', pin: null, proxy: 'http://proxy.test:3128' });
  const text = '# first\nserver: https://b.test # here\nlabels: { rack: r1 }\nproxy: http://proxy.test:3128\n';
  assert.equal(readFileSync(file, 'utf8'), text);
  const { ino } = statSync(file);
  writeAgentConfig(file, { server: 'https://b.test' });
  assert.equal(statSync(file).ino, ino);
  assert.throws(() => writeAgentConfig(file, { server: 'http://b.test' }), { code: 'document_invalid' });
  assert.equal(readFileSync(file, 'utf8'), text);
  writeFileSync(file, 'server: [');
  assert.throws(() => writeAgentConfig(file, { server: 'https://b.test' }), { code: 'document_invalid' });
});
