import { z } from 'zod';
import {
  type Machine,
  type MachineListItem,
  machineListItemSchema,
  machineSchema,
} from '../../protocol/api/machines.ts';
import type { ApiClient } from '../api-client/create-api-client.ts';
import { resolveMachine } from './resolve-machine.ts';

export const machinesPath = '/api/provisioning/machines/';

export async function machinesOf(api: ApiClient): Promise<MachineListItem[]> {
  return await api.get(machinesPath, z.array(machineListItemSchema));
}

/** The machine of that UUID, hostname or beginning of a UUID. @throws ProvisionError as `resolveMachine`. */
export async function machineNamed(api: ApiClient, name: string): Promise<MachineListItem> {
  return resolveMachine(await machinesOf(api), name);
}

export async function machineOf(api: ApiClient, uuid: string): Promise<Machine> {
  return await api.get(`${machinesPath}${uuid}`, machineSchema);
}
