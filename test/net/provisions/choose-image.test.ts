import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../control-plane/http/api-error.ts';
import { createRegistryCredential } from '../../../control-plane/images/registry-credentials/store-registry-credential.ts';
import { startProvisionServer } from '../../builders/provision-server.ts';
import { Resources } from '../../resources.ts';

function refusal(status: number, message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.status, status);
    assert.match(error.message, message);
    return true;
  };
}

test('the image is that of the one role that has one, else the default; two or none are refused', async () => {
  await using resources = new Resources();
  const server = await startProvisionServer(resources);
  const { db, accountUuid } = server.context;
  const machine = server.machine();
  assert.throws(() => server.service.queue(machine.uuid), refusal(422, /no default image/));
  const ofRole = server.useImage('http://127.0.0.1:1/os/role:1');
  server.useImage('http://127.0.0.1:1/os/default:1');
  const queuedImage = (): string | null => {
    const { provisionUuid } = server.service.queue(machine.uuid);
    const { image_reference: reference } = server.run(machine.uuid, provisionUuid);
    server.service.clear(machine.uuid);
    return reference;
  };
  assert.equal(queuedImage(), 'http://127.0.0.1:1/os/default:1');
  const addRole = (name: string, imageUuid: string | null, position: number, requiresMesh = 0): void => {
    db.prepare(
      `INSERT INTO roles (uuid, account_uuid, name, merge_priority, template_data, description, image_uuid,
         requires_mesh, created_at, updated_at) VALUES (?1, ?2, ?1, 100, '', '', ?3, ?4, '', '')`,
    ).run(name, accountUuid, imageUuid, requiresMesh);
    db.prepare('INSERT INTO machine_roles VALUES (?, ?, ?)').run(machine.uuid, name, position);
  };
  addRole('plain', null, 0);
  addRole('web', ofRole, 1);
  assert.equal(queuedImage(), 'http://127.0.0.1:1/os/role:1');
  addRole('db', ofRole, 2);
  assert.throws(() => server.service.queue(machine.uuid), refusal(422, /several have: web, db/));
  db.prepare(`DELETE FROM roles WHERE uuid = 'db'`).run();
  addRole('member', null, 2, 1);
  assert.throws(() => server.service.queue(machine.uuid), refusal(422, /no mesh network.*member/));
});

test('a credential of another registry is refused and never sent', async () => {
  await using resources = new Resources();
  const server = await startProvisionServer(resources);
  const credential = createRegistryCredential(server.context, {
    name: 'ghcr',
    registry_url: 'ghcr.io',
    username: 'robot',
    password: 'pa55',
    description: '',
  });
  server.useImage('http://127.0.0.1:1/os/tiny:1', credential.uuid);
  const machine = server.machine();
  assert.throws(
    () => server.service.queue(machine.uuid),
    refusal(422, /is for ghcr\.io, the image .* is at 127\.0\.0\.1:1/),
  );
});
