import { z } from 'zod';
import { type MachineRole, machineRoleSchema, rolePreviewSchema } from '../../protocol/api/machine-roles.ts';
import { ProvisionError } from '../base/errors.ts';
import { plainLine, plainText } from '../base/plain-text.ts';
import { findObject } from './find-object.ts';
import { imageNamed } from './images.ts';
import { machineNamed } from './machine-paths.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, printTable } from './output.ts';
import type { Column } from './table.ts';

const rolesPath = '/api/controlplane/machine-roles/';

async function rolesOf({ api }: Operator): Promise<MachineRole[]> {
  return await api.get(rolesPath, z.array(machineRoleSchema));
}

export async function listRoles(operator: Operator): Promise<void> {
  const { output } = operator;
  const roles = await rolesOf(operator);
  if (output.json) return printJson(output, roles);
  const columns: Column<MachineRole>[] = [
    { title: 'NAME', value: ({ name }) => name, shrinksTo: 12 },
    { title: 'PRIORITY', value: (role) => String(role.merge_priority) },
    { title: 'IMAGE', value: ({ image }) => image?.name ?? '', shrinksTo: 10 },
    { title: 'MESH', value: (role) => (role.requires_mesh ? 'required' : '') },
    { title: 'DESCRIPTION', value: ({ description }) => description, shrinksTo: 11 },
  ];
  const empty = 'There is no role; "durantic server roles apply FILE --name NAME" makes one.';
  printTable(output, { columns, rows: roles, empty });
}

/** The template as it is saved, for an editor; what else the role says goes to stderr. */
export async function showRole(operator: Operator, name: string): Promise<void> {
  const { output } = operator;
  const role = findObject(await rolesOf(operator), 'role', name);
  if (output.json) return printJson(output, role);
  output.stderr.write(`${describe(role).join('\n')}\n`);
  // A file stays byte for byte what was saved; a terminal must not obey it.
  const text = output.stdout.isTTY === true ? plainText(role.template_data) : role.template_data;
  output.stdout.write(text === '' || text.endsWith('\n') ? text : `${text}\n`);
}

function describe(role: MachineRole): string[] {
  const { name, merge_priority: priority, image, requires_mesh: mesh, description } = role;
  const parts = [
    `priority ${priority}`,
    image === null ? 'no image of its own' : `image ${image.name}`,
    ...(mesh ? ['requires a mesh network'] : []),
  ];
  return [plainLine(`# ${name}: ${parts.join(', ')}${description === '' ? '' : `. ${description}`}`)];
}

/** Undefined leaves a thing as it is, or as the server's defaults have it. */
export interface RoleChanges {
  readonly name: string;
  readonly template: string;
  readonly priority: number | undefined;
  /** Name or UUID of an image, `none` for none. */
  readonly image: string | undefined;
  readonly description: string | undefined;
  readonly requiresMesh: boolean | undefined;
}

/** Makes the role, or changes the one of that name. */
export async function applyRole(operator: Operator, wanted: RoleChanges): Promise<void> {
  const { api, output } = operator;
  const old = (await rolesOf(operator)).find(({ name, is_official }) => name === wanted.name && !is_official);
  const { image } = wanted;
  // JSON leaves out what is undefined, and what is absent stays as it is.
  const body = {
    name: wanted.name,
    template_data: wanted.template,
    merge_priority: wanted.priority,
    image_uuid: image === undefined ? undefined : image === 'none' ? null : (await imageNamed(api, image)).uuid,
    description: wanted.description,
    requires_mesh: wanted.requiresMesh,
  };
  const role =
    old === undefined
      ? await api.post(rolesPath, body, machineRoleSchema)
      : await api.patch(`${rolesPath}${old.uuid}`, body, machineRoleSchema);
  if (output.json) return printJson(output, role);
  printLines(output, [plainLine(`The role ${role.name} is ${old === undefined ? 'made' : 'changed'}.`)]);
}

export async function removeRole(operator: Operator, name: string): Promise<void> {
  const { api, output } = operator;
  const role = findObject(await rolesOf(operator), 'role', name);
  await api.delete(`${rolesPath}${role.uuid}`);
  if (output.json) return printJson(output, { uuid: role.uuid, removed: true });
  printLines(output, [plainLine(`The role ${role.name} is removed, also from machines that had it.`)]);
}

export interface PreviewOptions {
  /** In place of the machine's own; undefined: those. */
  readonly roles: readonly string[] | undefined;
  /** A role that is not saved yet. */
  readonly draft: { readonly name: string; readonly template: string; readonly priority: number | undefined } | null;
}

/**
 * What the machine would get as user data; secrets are not in it.
 * @throws ProvisionError `document_invalid` with role and line when the roles do not render.
 */
export async function previewRoles(operator: Operator, name: string, options: PreviewOptions): Promise<void> {
  const { api, output } = operator;
  const machine = await machineNamed(api, name);
  const { roles, draft } = options;
  const body = {
    machine_uuid: machine.uuid,
    role_names: roles,
    ...(draft === null
      ? {}
      : { draft: { name: draft.name, template_data: draft.template, merge_priority: draft.priority } }),
  };
  const preview = await api.post(`${rolesPath}preview`, body, rolePreviewSchema);
  if (output.json) printJson(output, preview);
  // The message names role and line.
  if (preview.error !== null) throw new ProvisionError('document_invalid', plainLine(preview.error.message));
  if (output.json) return;
  if (preview.user_data === null) output.stderr.write('No role of the machine has a template.\n');
  else output.stdout.write(output.stdout.isTTY === true ? plainText(preview.user_data) : preview.user_data);
}
