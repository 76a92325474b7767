import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { ServerContext } from '../../../control-plane/context.ts';
import { readImageUrl } from '../../../control-plane/images/read-image-url.ts';
import { credentialOfImage } from '../../../control-plane/images/registry-credentials/credential-of-image.ts';
import {
  createRegistryCredential,
  deleteRegistryCredential,
  getRegistryCredential,
  updateRegistryCredential,
} from '../../../control-plane/images/registry-credentials/store-registry-credential.ts';
import {
  createImage,
  deleteImage,
  getImage,
  listImages,
  updateImage,
} from '../../../control-plane/images/store-image.ts';
import { testContext } from '../../builders/server-context.ts';
import { Resources } from '../../resources.ts';

const credentialBody = { name: 'ghcr', registry_url: 'ghcr.io', username: 'robot', password: 'pa55', description: '' };

function image(context: ServerContext, name: string, credential: string | null = null) {
  const docker_image_url = `ghcr.io/os/${name}:1`;
  return createImage(context, { name, docker_image_url, registry_credential_uuid: credential, description: null });
}

test('the list holds own and official images in the order in which they came', async () => {
  await using resources = new Resources();
  const context = testContext(resources);
  const first = image(context, 'b');
  const official = randomUUID();
  context.db
    .prepare(
      `INSERT INTO images (uuid, name, docker_image_url, is_official, created_at, updated_at) VALUES (?, 'b', 'x', 1, ?, ?)`,
    )
    .run(official, first.created_at, first.created_at);
  const last = image(context, 'a');
  assert.deepEqual(
    listImages(context).map(({ uuid, is_official }) => [uuid, is_official]),
    [
      [first.uuid, false],
      [official, true],
      [last.uuid, false],
    ],
  );
  assert.throws(() => updateImage(context, official, { name: 'mine' }), { status: 403 });
  assert.throws(() => deleteImage(context, official), { status: 403 });
});

test('an image that is in use is not forgotten, and says by whom', async () => {
  await using resources = new Resources();
  const context = testContext(resources);
  const { db, accountUuid } = context;
  const { uuid } = image(context, 'a');
  db.prepare(
    `INSERT INTO roles (uuid, account_uuid, name, merge_priority, template_data, description, image_uuid, requires_mesh,
       created_at, updated_at) VALUES ('r', ?, 'web', 100, '', '', ?, 0, '', '')`,
  ).run(accountUuid, uuid);
  assert.throws(() => deleteImage(context, uuid), { status: 409, message: /web/ });
  db.exec('DELETE FROM roles');
  db.prepare('UPDATE accounts SET default_image_uuid = ?').run(uuid);
  assert.throws(() => deleteImage(context, uuid), { status: 409, message: /default image/ });
  db.exec('UPDATE accounts SET default_image_uuid = NULL');
  deleteImage(context, uuid);
  assert.throws(() => getImage(context, uuid), { status: 404 });
});

test('a credential counts its images; forgotten, they are there without it', async () => {
  await using resources = new Resources();
  const context = testContext(resources);
  const credential = createRegistryCredential(context, credentialBody);
  const one = image(context, 'one', credential.uuid);
  image(context, 'two', credential.uuid);
  assert.equal(getRegistryCredential(context, credential.uuid).image_count, 2);
  assert.deepEqual([one.registry_credential_uuid, one.registry_credential_name], [credential.uuid, 'ghcr']);
  deleteRegistryCredential(context, credential.uuid);
  const left = getImage(context, one.uuid);
  assert.deepEqual([left.registry_credential_uuid, left.registry_credential_name], [null, null]);
  assert.throws(() => image(context, 'three', credential.uuid), { status: 422 });
});

test('a password is sealed for its own row, opened for its own registry, and never described', async () => {
  await using resources = new Resources();
  const context = testContext(resources);
  const { db } = context;
  const ghcr = createRegistryCredential(context, credentialBody);
  const other = createRegistryCredential(context, { ...credentialBody, name: 'other', password: 'other-pa55' });
  assert.ok(!JSON.stringify([ghcr, other]).includes('pa55'));
  const { reference } = readImageUrl('ghcr.io/os/a:1');
  const opened = (uuid: string) => credentialOfImage(context, uuid, reference)?.password;
  assert.equal(opened(ghcr.uuid), 'pa55');
  updateRegistryCredential(context, ghcr.uuid, { username: 'robot2' });
  assert.equal(opened(ghcr.uuid), 'pa55', 'absent leaves the password');
  updateRegistryCredential(context, ghcr.uuid, { password: 'new-pa55' });
  assert.equal(opened(ghcr.uuid), 'new-pa55');
  assert.equal(credentialOfImage(context, ghcr.uuid, readImageUrl('evil.test/os/a:1').reference), null);
  db.prepare(
    'UPDATE registry_credentials SET password_sealed = (SELECT password_sealed FROM registry_credentials WHERE uuid = ?) WHERE uuid = ?',
  ).run(other.uuid, ghcr.uuid);
  assert.throws(() => opened(ghcr.uuid), { code: 'sealed_value_unreadable' });
});
