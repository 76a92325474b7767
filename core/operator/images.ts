import { z } from 'zod';
import { accountSchema } from '../../protocol/api/account.ts';
import { type Image, imageSchema } from '../../protocol/api/images.ts';
import { registryCredentialSchema } from '../../protocol/api/registry-credentials.ts';
import { findObject } from './find-object.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, printTable } from './output.ts';
import type { Column } from './table.ts';

export const accountPath = '/api/controlplane/account';
export const imagesPath = '/api/provisioning/images/';
export const registryCredentialsPath = '/api/provisioning/registry-credentials/';

export async function imagesOf(api: Operator['api']): Promise<Image[]> {
  return await api.get(imagesPath, z.array(imageSchema));
}

/** The image of that name or UUID. @throws ProvisionError `object_not_found`. */
export async function imageNamed(api: Operator['api'], name: string): Promise<Image> {
  return findObject(await imagesOf(api), 'image', name);
}

export async function listImages({ api, output }: Operator): Promise<void> {
  const images = await imagesOf(api);
  if (output.json) return printJson(output, images);
  const account = await api.get(accountPath, accountSchema);
  const columns: Column<Image>[] = [
    { title: 'NAME', value: ({ name, uuid }) => (uuid === account.default_image_uuid ? `${name} (default)` : name) },
    { title: 'REFERENCE', value: (image) => image.docker_image_url, shrinksTo: 20 },
    { title: 'CREDENTIAL', value: (image) => image.registry_credential_name ?? '', shrinksTo: 10 },
    { title: 'DESCRIPTION', value: ({ description }) => description ?? '', shrinksTo: 11 },
  ];
  printTable(output, { columns, rows: images, empty: 'There is no image; "durantic server images add" adds one.' });
}

export interface NewImage {
  readonly name: string;
  readonly reference: string;
  /** Name or UUID of a registry credential. */
  readonly credential: string | undefined;
  readonly description: string | undefined;
  /** Machines whose roles name no image get this one. */
  readonly isDefault: boolean;
}

export async function addImage({ api, output }: Operator, wanted: NewImage): Promise<void> {
  const { credential } = wanted;
  const found =
    credential === undefined
      ? null
      : findObject(
          await api.get(registryCredentialsPath, z.array(registryCredentialSchema)),
          'registry credential',
          credential,
        );
  const image = await api.post(
    imagesPath,
    {
      name: wanted.name,
      docker_image_url: wanted.reference,
      registry_credential_uuid: found?.uuid ?? null,
      description: wanted.description ?? null,
    },
    imageSchema,
  );
  if (wanted.isDefault) await api.patch(accountPath, { default_image_uuid: image.uuid }, accountSchema);
  if (output.json) return printJson(output, image);
  const role = wanted.isDefault ? ' It is the default image now.' : '';
  printLines(output, [`The image ${image.name} is ${image.docker_image_url}.${role}`]);
}

export async function removeImage({ api, output }: Operator, name: string): Promise<void> {
  const image = await imageNamed(api, name);
  await api.delete(`${imagesPath}${image.uuid}`);
  if (output.json) return printJson(output, { uuid: image.uuid, removed: true });
  printLines(output, [`The image ${image.name} is removed from the list; the registry keeps it.`]);
}
