import type { DatabaseSync } from 'node:sqlite';
import { describeError } from '../../core/base/describe-error.ts';
import { ApiError, unprocessable } from '../http/api-error.ts';
import { readImageUrl } from '../images/read-image-url.ts';
import { registryHost } from '../images/registry-credentials/credential-of-image.ts';
import { type Row, text, textOrNull } from '../store/row-values.ts';

export interface ChosenImage {
  readonly uuid: string;
  readonly url: string;
  readonly registryCredentialUuid: string | null;
}

const columns = `images.uuid, images.name, images.docker_image_url, images.registry_credential_uuid,
  registry_credentials.name AS credential_name, registry_credentials.registry_url`;
const joinCredential = `LEFT JOIN registry_credentials
  ON registry_credentials.uuid = images.registry_credential_uuid`;

/**
 * The image that a run of this machine installs: that of the one role which has one, else the account's default.
 * @throws ApiError 422 when two roles have one, when there is none, or when it cannot be used.
 */
export function chooseImage(db: DatabaseSync, machineUuid: string): ChosenImage {
  const ofRoles = db
    .prepare(
      `SELECT roles.name AS role_name, ${columns} FROM machine_roles
       JOIN roles ON roles.uuid = machine_roles.role_uuid JOIN images ON images.uuid = roles.image_uuid ${joinCredential}
       WHERE machine_roles.machine_uuid = ? ORDER BY machine_roles.position`,
    )
    .all(machineUuid);
  const [first] = ofRoles;
  if (ofRoles.length > 1) {
    const names = ofRoles.map((row) => text(row, 'role_name')).join(', ');
    throw unprocessable('', `only one role of a machine may have an image, and several have: ${names}`);
  }
  const row =
    first ??
    db
      .prepare(
        `SELECT ${columns} FROM machines JOIN accounts ON accounts.uuid = machines.account_uuid
         JOIN images ON images.uuid = accounts.default_image_uuid ${joinCredential} WHERE machines.uuid = ?`,
      )
      .get(machineUuid);
  if (row === undefined) {
    throw unprocessable('', 'no role of the machine has an image, and the account has no default image');
  }
  return usable(row);
}

function usable(row: Row): ChosenImage {
  const url = text(row, 'docker_image_url');
  const credentialHost = textOrNull(row, 'registry_url');
  try {
    const { reference } = readImageUrl(url);
    if (credentialHost !== null && registryHost(credentialHost) !== reference.registry.toLowerCase()) {
      throw unprocessable(
        '',
        `the registry credential ${text(row, 'credential_name')} is for ${credentialHost}, the image ${text(row, 'name')} is at ${reference.registry}`,
      );
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw unprocessable('', `the image ${text(row, 'name')} cannot be installed: ${describeError(error)}`);
  }
  return { uuid: text(row, 'uuid'), url, registryCredentialUuid: textOrNull(row, 'registry_credential_uuid') };
}
