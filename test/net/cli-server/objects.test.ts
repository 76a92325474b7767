import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertRefused, operateServer } from '../../builders/operated-server.ts';
import { Resources } from '../../resources.ts';

test('images are added, made the default, listed and removed; a credential opens their registry', async () => {
  await using resources = new Resources();
  const { cli, ok, json } = await operateServer(resources);
  const password = 'pässword of the registry';
  const add = ['registry-credentials', 'add', 'shop', 'https://registry.test/', '--username', 'robot'];
  const { stdout, exitCode } = await cli(add, { env: { DURANTIC_REGISTRY_PASSWORD: password } });
  assert.deepEqual([exitCode, stdout], [0, 'The registry credential shop is for registry.test as robot.\n']);
  assertRefused(await cli([...add, '--password-file', '-'], { input: `${password}\n` }), 2, /\[request_conflict\]/);
  await ok(['images', 'add', 'linux', 'registry.test/linux:1', '--credential', 'shop', '--default']);
  assertRefused(
    await cli(['images', 'add', 'other', 'registry.test/x:1', '--credential', 'sho']),
    2,
    /there is shop \[object_not_found\]/,
  );
  assertRefused(await cli(['images', 'add', 'bad', 'registry.test/:']), 2, /docker_image_url: .*\[request_invalid\]/);
  assert.match(await ok(['images']), /^linux \(default\) {2}registry\.test\/linux:1 {2}shop/m);
  assert.match(await ok(['registry-credentials']), /^shop {2}registry\.test {2}robot +1/m);
  const listed = JSON.stringify(await json(['registry-credentials', 'list']));
  assert.ok(listed.includes('robot') && !listed.includes(password));
  assert.match(await ok(['account']), /^Default image: {2}linux \(registry\.test\/linux:1\)$/m);
  assert.match(
    await ok(['account', 'set', '--name', 'rack 7', '--default-image', 'none']),
    /rack 7[\s\S]*image: {2}none/,
  );
  assert.match(await ok(['registry-credentials', 'remove', 'shop']), /1 image has no credential now/);
  await ok(['images', 'remove', 'linux']);
  assert.deepEqual(await json(['images']), []);
  assertRefused(await cli(['images', 'remove', 'linux']), 2, /there is no image "linux"; there is none at all/);
});

test('variables and secrets are set, changed, listed and removed; the value of a secret is never shown', async () => {
  await using resources = new Resources();
  const { cli, ok, json } = await operateServer(resources);
  await ok(['variables', 'set', 'DOMAIN', 'rack.test', '--description', 'of all']);
  assert.equal(await ok(['variables', 'set', 'DOMAIN', 'other.test']), 'The variable DOMAIN is changed.\n');
  assert.match(await ok(['variables']), /^DOMAIN {2}other\.test .* of all$/m);
  const file = join(resources.tempDir(), 'value');
  await writeFile(file, 'value of a file\n');
  assert.equal(await ok(['secrets', 'set', 'KEY', '--file', file]), 'The secret KEY is set.\n');
  assert.equal(await ok(['secrets', 'set', 'KEY'], 'value of stdin\n'), 'The secret KEY is changed.\n');
  const listed = await ok(['secrets']);
  assert.match(listed, /^KEY /m);
  assert.doesNotMatch(listed + JSON.stringify(await json(['secrets'])), /value of/);
  assertRefused(await cli(['secrets', 'set', 'EMPTY'], { input: '\n' }), 2, /value of EMPTY is empty \[usage\]/);
  assertRefused(await cli(['secrets', 'set', 'KEY', '--file', '/nowhere']), 2, /\/nowhere cannot be read/);
  await ok(['secrets', 'remove', 'KEY']);
  await ok(['variables', 'remove', 'DOMAIN']);
  assertRefused(await cli(['variables', 'remove', 'DOMAIN']), 2, /\[object_not_found\]/);
});

test('mesh networks are added, listed and removed', async () => {
  await using resources = new Resources();
  const { cli, ok, json } = await operateServer(resources);
  const added = await ok(['mesh-networks', 'add', 'rack', '10.42.0.0/24', '--default']);
  assert.match(added, /rack has 254 addresses in 10\.42\.0\.0\/24/);
  assert.match(await ok(['mesh-networks']), /^rack {2}10\.42\.0\.0\/24 +0 +254 +yes/m);
  assertRefused(await cli(['mesh-networks', 'add', 'other', '8.8.8.0/24']), 2, /network_cidr: .*\[request_invalid\]/);
  await ok(['mesh-networks', 'remove', 'rack']);
  assert.deepEqual(await json(['mesh-networks']), []);
});

test('bootstrap tokens are made and their keys rotated and retired', async () => {
  await using resources = new Resources();
  const { cli, ok, json, server } = await operateServer(resources);
  const text = await ok(['token', 'create', '--lifetime', '1d']);
  assert.match(text, /^ {2}curl .*\/install\.sh \| DURANTIC_TOKEN=\S+ bash -$/m);
  assert.ok(text.includes(`durantic.pin=${server.pin}`));
  const token = await json<Record<string, string>>(['token', 'create', '--name', 'rack 7']);
  assert.deepEqual([token['name'], token['lifetime']], ['rack 7', '10m']);
  assert.equal(token['token']?.split('.').length, 5);
  assertRefused(await cli(['token', 'create', '--lifetime', '2d']), 2, /Allowed choices are 10m, 1d/);
  const rotated = await json<Record<string, string>>(['token', 'rotate']);
  assert.match(await ok(['token', 'keys']), new RegExp(`^${rotated['kid']} .* yes$`, 'm'));
  await ok(['token', 'retire', token['kid'] ?? '']);
  assertRefused(await cli(['token', 'retire', token['kid'] ?? '']), 2, /\[object_not_found\]/);
  assert.match(await ok(['token', 'revoke-before', '2026-11-20']), /before 2026-11-20 00:00 UTC is revoked/);
  assertRefused(await cli(['token', 'revoke-before', 'yesterday']), 2, /yesterday is no time.*\[usage\]/);
});
