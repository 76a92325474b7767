import { machineFactsSchema } from '../../protocol/machine-facts.ts';
import { type ServerContext, timestampOf } from '../context.ts';
import { ApiError, notFound } from '../http/api-error.ts';
import { transaction } from '../store/open-database.ts';
import { text, timeText } from '../store/row-values.ts';
import { recordMachineEvent } from './record-machine-event.ts';
import { insertMachine } from './store-machine.ts';

export interface KnownMachine {
  /** Lower case with colons, at least one. */
  readonly macs: readonly string[];
  /** Null: made from the first MAC. */
  readonly hostname: string | null;
}

/**
 * Makes a record for a machine that has never been there. Its MACs enrol nothing: they only say which record a network
 * boot is about.
 * @returns Its UUID.
 * @throws ApiError 409 when a machine has one of the MACs.
 */
export function registerKnownMachine(context: ServerContext, { macs, hostname }: KnownMachine): string {
  const machineUuid = transaction(context.db, () => {
    for (const mac of macs) {
      const known = context.db.prepare('SELECT machine_uuid FROM machine_macs WHERE mac = ? LIMIT 1').get(mac);
      if (known !== undefined) throw new ApiError(409, `${mac} belongs to machine ${text(known, 'machine_uuid')}`);
    }
    const nics = [...new Set(macs)].map((mac) => ({ name: '', mac }));
    const uuid = insertMachine(context, { publicKey: null, facts: machineFactsSchema.parse({ nics }), hostname });
    recordMachineEvent(context, {
      machineUuid: uuid,
      kind: 'registered',
      message: `registered with ${nics.map(({ mac }) => mac).join(', ')}`,
      facts: {},
    });
    return uuid;
  });
  context.events.publish({ type: 'machine', uuid: machineUuid });
  return machineUuid;
}

/**
 * Until then the machine's next network boot gets the installer, and may get its record another key, though it was
 * installed. @throws ApiError 404.
 */
export function markForInstall(context: ServerContext, machineUuid: string, untilMs: number): void {
  setMark(context, machineUuid, timeText(untilMs));
}

/** Takes the mark back, and with it every single-use token that was not used. @throws ApiError 404. */
export function unmarkForInstall(context: ServerContext, machineUuid: string): void {
  setMark(context, machineUuid, null);
}

function setMark({ db, clock, accountUuid, events }: ServerContext, machineUuid: string, until: string | null): void {
  // The tokens of a mark that is taken back go by a trigger, whoever takes it back.
  const result = db
    .prepare(
      `UPDATE machines SET install_until = :until, operator_mark_until = :until, updated_at = :now
       WHERE uuid = :machineUuid AND account_uuid = :accountUuid`,
    )
    .run({ until, now: timestampOf(clock), machineUuid, accountUuid });
  if (result.changes !== 1) throw notFound(`machine ${machineUuid}`);
  events.publish({ type: 'machine', uuid: machineUuid });
}
