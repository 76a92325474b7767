import { randomUUID } from 'node:crypto';
import type { SQLInputValue } from 'node:sqlite';
import { describeError } from '../../core/base/describe-error.ts';
import type { Image, ImageCreate, ImageUpdate } from '../../protocol/api/images.ts';
import type { ServerContext } from '../context.ts';
import { timestampOf } from '../context.ts';
import { ApiError, notFound, unprocessable } from '../http/api-error.ts';
import { markMachinesOfImage } from '../machines/needs-provisioning.ts';
import { transaction } from '../store/open-database.ts';
import { boolean, type Row, text, textOrNull } from '../store/row-values.ts';
import { readImageUrl } from './read-image-url.ts';

const select = `SELECT images.*, registry_credentials.name AS credential_name FROM images
  LEFT JOIN registry_credentials ON registry_credentials.uuid = images.registry_credential_uuid
  WHERE (images.account_uuid = ? OR images.account_uuid IS NULL)`;

/** The account's own images and the official ones. */
export function listImages(context: ServerContext): Image[] {
  return context.db.prepare(`${select} ORDER BY images.created_at, images.rowid`).all(context.accountUuid).map(imageOf);
}

/** @throws ApiError 404. */
export function getImage(context: ServerContext, uuid: string): Image {
  const row = context.db.prepare(`${select} AND images.uuid = ?`).get(context.accountUuid, uuid);
  if (row === undefined) throw notFound('the image');
  return imageOf(row);
}

/** @throws ApiError 409 for a name that is taken, 422 for a URL that is none or a credential that is not there. */
export function createImage(context: ServerContext, body: ImageCreate): Image {
  const { db, accountUuid, clock } = context;
  return transaction(db, () => {
    const uuid = randomUUID();
    assertNameIsFree(context, body.name, uuid);
    checkUrl(body.docker_image_url);
    checkCredential(context, body.registry_credential_uuid);
    const now = timestampOf(clock);
    db.prepare(
      `INSERT INTO images (uuid, account_uuid, name, docker_image_url, description, registry_credential_uuid, created_at,
         updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      uuid,
      accountUuid,
      body.name,
      body.docker_image_url,
      body.description,
      body.registry_credential_uuid,
      now,
      now,
    );
    return getImage(context, uuid);
  });
}

/** @throws ApiError 403 for an official image, 404, 409, 422. */
export function updateImage(context: ServerContext, uuid: string, body: ImageUpdate): Image {
  const { db, clock } = context;
  return transaction(db, () => {
    const before = own(context, uuid);
    if (body.name !== undefined) assertNameIsFree(context, body.name, uuid);
    if (body.docker_image_url !== undefined) checkUrl(body.docker_image_url);
    if (body.registry_credential_uuid !== undefined) checkCredential(context, body.registry_credential_uuid);
    const after: Record<string, SQLInputValue> = { ...body, updated_at: timestampOf(clock) };
    for (const [column, value] of Object.entries(after)) {
      if (value !== undefined) db.prepare(`UPDATE images SET ${column} = ? WHERE uuid = ?`).run(value, uuid);
    }
    const image = getImage(context, uuid);
    if (image.docker_image_url !== before.docker_image_url) markMachinesOfImage(context, uuid);
    return image;
  });
}

/** @throws ApiError 403 for an official image, 404, 409 while a role or the account uses it. */
export function deleteImage(context: ServerContext, uuid: string): void {
  const { db } = context;
  transaction(db, () => {
    own(context, uuid);
    const roles = db.prepare('SELECT name FROM roles WHERE image_uuid = ? ORDER BY name').all(uuid);
    if (roles.length > 0) {
      throw new ApiError(409, `the image is used by roles: ${roles.map((row) => text(row, 'name')).join(', ')}`);
    }
    if (db.prepare('SELECT 1 FROM accounts WHERE default_image_uuid = ?').get(uuid) !== undefined) {
      throw new ApiError(409, 'the image is the default image of the account');
    }
    db.prepare('DELETE FROM images WHERE uuid = ?').run(uuid);
  });
}

function own(context: ServerContext, uuid: string): Image {
  const image = getImage(context, uuid);
  if (image.is_official) throw new ApiError(403, 'official images cannot be changed');
  return image;
}

function assertNameIsFree({ db, accountUuid }: ServerContext, name: string, uuid: string): void {
  const other = db.prepare('SELECT 1 FROM images WHERE account_uuid = ? AND name = ? AND uuid <> ?');
  if (other.get(accountUuid, name, uuid) !== undefined) throw new ApiError(409, `there is an image ${name} already`);
}

function checkUrl(url: string): void {
  try {
    readImageUrl(url);
  } catch (error) {
    throw unprocessable('docker_image_url', describeError(error));
  }
}

function checkCredential({ db, accountUuid }: ServerContext, uuid: string | null): void {
  if (uuid === null) return;
  const row = db
    .prepare('SELECT 1 FROM registry_credentials WHERE uuid = ? AND account_uuid = ?')
    .get(uuid, accountUuid);
  if (row === undefined) throw unprocessable('registry_credential_uuid', 'there is no such registry credential');
}

function imageOf(row: Row): Image {
  return {
    uuid: text(row, 'uuid'),
    name: text(row, 'name'),
    docker_image_url: text(row, 'docker_image_url'),
    registry_credential_uuid: textOrNull(row, 'registry_credential_uuid'),
    registry_credential_name: textOrNull(row, 'credential_name'),
    is_official: boolean(row, 'is_official'),
    description: textOrNull(row, 'description'),
    created_at: text(row, 'created_at'),
    updated_at: text(row, 'updated_at'),
  };
}
