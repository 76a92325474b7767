import { closeCodes } from '../../protocol/agent-frames.ts';
import { machineFactsSchema } from '../../protocol/machine-facts.ts';
import { ApiError, notFound, unprocessable } from '../http/api-error.ts';
import { transaction } from '../store/open-database.ts';
import { json, type Row, text, textList, textOrNull, timeOrNull } from '../store/row-values.ts';
import type { Enrolment } from './enrolment.ts';
import type { KeyHolder } from './find-machines.ts';
import { isSilent } from './is-silent.ts';
import { markDuplicates } from './mark-duplicates.ts';
import { recognitionOf } from './recognition.ts';
import { recordMachineEvent } from './record-machine-event.ts';
import { replaceKey, storeFacts } from './store-machine.ts';

export interface Adoption {
  /** The old machine, which keeps its record. */
  readonly machineUuid: string;
  /** The new one, whose key and facts go to the old one and whose record disappears. */
  readonly fromUuid: string;
}

/**
 * Makes one machine of two records on the word of an operator. Whoever holds the key is told that its record is gone
 * and finds the old one when it enrols again with the same key.
 * @throws ApiError 404 for an unknown machine; 422 for a `from` that is unknown, the same, or has no key; 409 when the
 * old machine is there with its own key, or `from` has an active run.
 */
export async function adoptMachine(enrolment: Enrolment, adoption: Adoption): Promise<void> {
  const { db } = enrolment.context;
  const { machineUuid, fromUuid } = adoption;
  let silentKey: string | null = null;
  for (;;) {
    const cleared: string | null = silentKey;
    const outcome: Outcome = transaction(db, () => adopt(enrolment, adoption, cleared));
    if ('changed' in outcome) return announce(enrolment, adoption, outcome.changed);
    if (!(await isSilent(enrolment, outcome.ask))) {
      throw new ApiError(
        409,
        `the machine ${machineUuid} is connected with its own key, so ${fromUuid} is another one`,
      );
    }
    silentKey = outcome.ask.publicKey;
  }
}

type Outcome = { readonly ask: KeyHolder } | { readonly changed: readonly string[] };

function adopt(enrolment: Enrolment, { machineUuid, fromUuid }: Adoption, silentKey: string | null): Outcome {
  const { context } = enrolment;
  const old = machineRow(enrolment, machineUuid);
  if (old === null) throw notFound(`machine ${machineUuid}`);
  const from = machineRow(enrolment, fromUuid);
  if (from === null) throw unprocessable('from', `there is no machine ${fromUuid}`);
  if (fromUuid === machineUuid) throw unprocessable('from', 'a machine cannot adopt its own key');
  const newKey = textOrNull(from, 'public_key');
  if (newKey === null) throw unprocessable('from', `machine ${fromUuid} has not enrolled and has no key`);
  if (hasActiveRun(enrolment, fromUuid)) throw new ApiError(409, `machine ${fromUuid} has an active run`);
  const heldKey = textOrNull(old, 'public_key');
  if (heldKey !== null && heldKey !== silentKey) {
    return { ask: { uuid: machineUuid, publicKey: heldKey, keySinceMs: timeOrNull(old, 'key_since') ?? 0 } };
  }
  context.db.prepare('DELETE FROM machines WHERE uuid = ?').run(fromUuid);
  replaceKey(context, machineUuid, newKey);
  const facts = machineFactsSchema.parse(json(from, 'facts'));
  const registeredMacs = heldKey === null ? textList(old, 'macs') : [];
  storeFacts(context, machineUuid, facts, registeredMacs);
  context.db
    .prepare('UPDATE machines SET was_installed = max(was_installed, ?) WHERE uuid = ?')
    .run(Number(from['was_installed']), machineUuid);
  recordMachineEvent(context, {
    machineUuid,
    kind: 'adopted',
    message: `took over the key of machine ${text(from, 'hostname')} (${fromUuid}), whose record is gone`,
    facts: { from: fromUuid },
  });
  const marked = markDuplicates(context, machineUuid, recognitionOf(facts));
  enrolment.onAdopted(machineUuid);
  return { changed: [machineUuid, ...new Set([...textList(from, 'possible_duplicates'), ...marked])] };
}

function announce(
  { context, counters, hub }: Enrolment,
  { machineUuid, fromUuid }: Adoption,
  changed: readonly string[],
): void {
  counters.adopted += 1;
  hub.disconnect(machineUuid, closeCodes.unauthorized, 'the machine has another key now');
  hub.disconnect(fromUuid, closeCodes.unknown_machine, 'the machine was adopted: enrol again with the same key');
  context.events.publish({ type: 'machine_deleted', uuid: fromUuid });
  for (const uuid of new Set(changed)) {
    if (uuid !== fromUuid) context.events.publish({ type: 'machine', uuid });
  }
}

function machineRow({ context }: Enrolment, uuid: string): Row | null {
  const row = context.db
    .prepare(
      `SELECT hostname, public_key, key_since, facts, macs, was_installed, possible_duplicates FROM machines
       WHERE uuid = ? AND account_uuid = ?`,
    )
    .get(uuid, context.accountUuid);
  return row ?? null;
}

function hasActiveRun({ context }: Enrolment, machineUuid: string): boolean {
  const query = "SELECT 1 FROM provisions WHERE machine_uuid = ? AND status IN ('queued', 'in_progress')";
  return context.db.prepare(query).get(machineUuid) !== undefined;
}
