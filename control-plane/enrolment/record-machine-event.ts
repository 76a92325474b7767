import type { ServerContext } from '../context.ts';
import { timestampOf } from '../context.ts';

export type MachineEventKind = 'registered' | 'enrolled' | 'rekeyed' | 'possible_duplicate' | 'adopted';

export interface MachineEvent {
  readonly machineUuid: string;
  readonly kind: MachineEventKind;
  /** One sentence for the operator. */
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Writes down what happened to a machine, inside the transaction that makes it happen. */
export function recordMachineEvent(context: ServerContext, event: MachineEvent): void {
  context.db
    .prepare('INSERT INTO machine_events (machine_uuid, time, kind, message, facts) VALUES (?, ?, ?, ?, ?)')
    .run(event.machineUuid, timestampOf(context.clock), event.kind, event.message, JSON.stringify(event.facts));
}
