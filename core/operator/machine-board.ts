import { z } from 'zod';
import { type MachineListItem, machineSchema } from '../../protocol/api/machines.ts';
import { provisionSchema } from '../../protocol/api/provisions.ts';
import type { ServerSentEvent } from '../api-client/parse-events.ts';
import { ProvisionError } from '../base/errors.ts';

const deletedSchema = z.object({ uuid: z.uuid() });

/**
 * The list of machines as it is kept up to date by the messages of `GET /api/events`, in the list's own order (as
 * created). A machine that the list does not have yet is new and comes last.
 */
export class MachineBoard {
  #machines: Map<string, MachineListItem>;

  constructor(machines: readonly MachineListItem[]) {
    this.#machines = byUuid(machines);
  }

  get machines(): MachineListItem[] {
    return [...this.#machines.values()];
  }

  /** Takes the whole list anew. */
  replace(machines: readonly MachineListItem[]): void {
    this.#machines = byUuid(machines);
  }

  /** Takes one message; others than of machines and runs change nothing. @throws ProvisionError `server_answer_invalid`. */
  apply(event: ServerSentEvent): void {
    if (event.type === 'machine') {
      const { mesh_network: mesh, ...machine } = read(event, machineSchema);
      this.#machines.set(machine.uuid, { ...machine, mesh_network_uuid: mesh?.uuid ?? null });
    }
    if (event.type === 'machine_deleted') this.#machines.delete(read(event, deletedSchema).uuid);
    if (event.type === 'provision') {
      const run = read(event, provisionSchema);
      const machine = this.#machines.get(run.machine_uuid);
      // A late word of an older run tells nothing of the machine.
      if (machine !== undefined && machine.last_provision?.uuid === run.uuid) {
        this.#machines.set(machine.uuid, { ...machine, last_provision: run });
      }
    }
  }
}

function byUuid(machines: readonly MachineListItem[]): Map<string, MachineListItem> {
  return new Map(machines.map((machine) => [machine.uuid, machine]));
}

function read<T>(event: ServerSentEvent, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(event.data));
  } catch (cause) {
    const message = `the server sends a change (${event.type}) that this version of durantic cannot read`;
    throw new ProvisionError('server_answer_invalid', message, { cause });
  }
}
