import { closeCodes } from '../../protocol/agent-frames.ts';
import { ApiError } from '../http/api-error.ts';
import { findActiveRun } from '../provisions/provision-store.ts';
import { findMachine } from '../provisions/queue-run.ts';
import { transaction } from '../store/open-database.ts';
import { text, textList } from '../store/row-values.ts';
import type { MachineSource } from './describe-machine.ts';

/**
 * Forgets a machine with everything about it and closes its socket. Its disk stays as it is.
 * @throws ApiError 404; 409 while a run is in progress.
 */
export function deleteMachine({ context, hub }: MachineSource, machineUuid: string): void {
  const { db, events } = context;
  transaction(db, () => {
    findMachine(context, machineUuid);
    const run = findActiveRun(db, machineUuid);
    if (run?.state.status === 'in_progress') {
      throw new ApiError(409, `the machine is being installed by the run ${run.uuid}; cancel it first`);
    }
    db.prepare('DELETE FROM machines WHERE uuid = ?').run(machineUuid);
    const others = db
      .prepare('SELECT uuid, possible_duplicates FROM machines WHERE instr(possible_duplicates, ?) > 0')
      .all(machineUuid);
    for (const other of others) {
      const rest = textList(other, 'possible_duplicates').filter((uuid) => uuid !== machineUuid);
      const uuid = text(other, 'uuid');
      db.prepare('UPDATE machines SET possible_duplicates = ? WHERE uuid = ?').run(JSON.stringify(rest), uuid);
      events.publish({ type: 'machine', uuid });
    }
  });
  hub.disconnect(machineUuid, closeCodes.unknown_machine, 'the machine was deleted');
  events.publish({ type: 'machine_deleted', uuid: machineUuid });
}
