import { z } from 'zod';
import { type RegistryCredential, registryCredentialSchema } from '../../protocol/api/registry-credentials.ts';
import { findObject } from './find-object.ts';
import { registryCredentialsPath } from './images.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, printTable } from './output.ts';
import type { Column } from './table.ts';

export async function listRegistryCredentials({ api, output }: Operator): Promise<void> {
  const credentials = await api.get(registryCredentialsPath, z.array(registryCredentialSchema));
  if (output.json) return printJson(output, credentials);
  const columns: Column<RegistryCredential>[] = [
    { title: 'NAME', value: ({ name }) => name, shrinksTo: 12 },
    { title: 'REGISTRY', value: (credential) => credential.registry_url, shrinksTo: 12 },
    { title: 'USER NAME', value: ({ username }) => username, shrinksTo: 12 },
    { title: 'IMAGES', value: (credential) => String(credential.image_count) },
    { title: 'DESCRIPTION', value: ({ description }) => description, shrinksTo: 11 },
  ];
  printTable(output, { columns, rows: credentials, empty: 'There is no registry credential.' });
}

export interface NewRegistryCredential {
  readonly name: string;
  readonly registry: string;
  readonly username: string;
  readonly password: string;
  readonly description: string | undefined;
}

export async function addRegistryCredential({ api, output }: Operator, wanted: NewRegistryCredential): Promise<void> {
  const { registry, ...rest } = wanted;
  const saved = await api.post(registryCredentialsPath, { ...rest, registry_url: registry }, registryCredentialSchema);
  if (output.json) return printJson(output, saved);
  printLines(output, [`The registry credential ${saved.name} is for ${saved.registry_url} as ${saved.username}.`]);
}

export async function removeRegistryCredential({ api, output }: Operator, name: string): Promise<void> {
  const credentials = await api.get(registryCredentialsPath, z.array(registryCredentialSchema));
  const found = findObject(credentials, 'registry credential', name);
  await api.delete(`${registryCredentialsPath}${found.uuid}`);
  if (output.json) return printJson(output, { uuid: found.uuid, removed: true });
  const images = found.image_count === 1 ? '1 image has' : `${found.image_count} images have`;
  const after = found.image_count === 0 ? '' : ` ${images} no credential now.`;
  printLines(output, [`The registry credential ${found.name} is removed.${after}`]);
}
