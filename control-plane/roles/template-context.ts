import type { ServerContext } from '../context.ts';
import { notFound } from '../http/api-error.ts';
import type { TemplateContext } from '../jinja/render-template.ts';
import { parseAddress } from '../mesh/network-cidr.ts';
import { json, type Row, text, textList, textOrNull } from '../store/row-values.ts';
import { accountValues } from '../variables/store-account-value.ts';
import type { RenderableRole } from './load-roles.ts';

/** A machine as templates see it, itself and its peers alike. */
export interface TemplateMachine {
  readonly uuid: string;
  readonly hostname: string;
  /** Null: in no mesh network. */
  readonly mesh: { readonly ip: string; readonly network_cidr: string; readonly name: string } | null;
  readonly discovered_ip_addresses: readonly string[];
  /** Names in the machine's own order. */
  readonly roles: readonly string[];
  /** What the machine said about itself when it enrolled (protocol/machine-facts.ts). */
  readonly facts: unknown;
}

/** What is the same for all roles of one rendering. */
export interface MachineContext {
  readonly machine: TemplateMachine;
  /** The other machines of its mesh network, by address. */
  readonly peers: readonly TemplateMachine[];
  readonly secrets: Readonly<Record<string, string>>;
  readonly vars: Readonly<Record<string, string>>;
}

const select = `SELECT machines.*, mesh_networks.name AS mesh_name, network_cidr,
  (SELECT json_group_array(name) FROM (SELECT roles.name FROM machine_roles JOIN roles ON roles.uuid = role_uuid
    WHERE machine_uuid = machines.uuid ORDER BY position)) AS role_names
  FROM machines LEFT JOIN mesh_networks ON mesh_networks.uuid = machines.mesh_network_uuid
  WHERE machines.account_uuid = ?`;

/**
 * The objects `machine`, `peers`, `secrets` and `vars` of templates.
 * @throws ApiError 404 for an unknown machine. @throws ProvisionError `sealed_value_unreadable`.
 */
export function machineContext(context: ServerContext, machineUuid: string): MachineContext {
  const { db, accountUuid } = context;
  const row = db.prepare(`${select} AND machines.uuid = ?`).get(accountUuid, machineUuid);
  if (row === undefined) throw notFound('the machine');
  const meshUuid = textOrNull(row, 'mesh_network_uuid');
  const members = meshUuid === null ? [] : db.prepare(`${select} AND mesh_network_uuid = ?`).all(accountUuid, meshUuid);
  return {
    machine: machineOf(row),
    peers: members
      .map(machineOf)
      .filter(({ uuid }) => uuid !== machineUuid)
      .sort((left, right) => parseAddress(left.mesh?.ip ?? '') - parseAddress(right.mesh?.ip ?? '')),
    secrets: accountValues(context, 'secret'),
    vars: accountValues(context, 'variable'),
  };
}

/** The context of one role; `role.vip` is there only when the role has one. */
export function roleContext(common: MachineContext, role: RenderableRole): TemplateContext {
  return { ...common, role: { name: role.name, merge_priority: role.mergePriority } };
}

/** The same with a placeholder for the value of each secret, so that whatever is made of it shows none. */
export function withoutSecrets(common: MachineContext): MachineContext {
  const names = Object.keys(common.secrets);
  return { ...common, secrets: Object.fromEntries(names.map((name) => [name, `<secret ${name}>`])) };
}

function machineOf(row: Row): TemplateMachine {
  const ip = textOrNull(row, 'mesh_ip_address');
  return {
    uuid: text(row, 'uuid'),
    hostname: text(row, 'hostname'),
    mesh: ip === null ? null : { ip, network_cidr: text(row, 'network_cidr'), name: text(row, 'mesh_name') },
    discovered_ip_addresses: textList(row, 'discovered_ip_addresses'),
    roles: textList(row, 'role_names'),
    facts: json(row, 'facts'),
  };
}
