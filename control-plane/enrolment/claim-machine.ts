import { closeCodes } from '../../protocol/agent-frames.ts';
import { type MachineFacts, machineFactsSchema } from '../../protocol/machine-facts.ts';
import { timestampOf } from '../context.ts';
import { ApiError } from '../http/api-error.ts';
import { transaction } from '../store/open-database.ts';
import { boolean, json, type Row, textList, textOrNull, timeOrNull } from '../store/row-values.ts';
import { type Enrolled, type EnrolRequest, enrolKnownKey } from './enrol-machine.ts';
import type { Enrolment } from './enrolment.ts';
import type { KeyHolder } from './find-machines.ts';
import { isSilent } from './is-silent.ts';
import { markDuplicates } from './mark-duplicates.ts';
import { bootTokenLifetimeMs, isMarkedByOperator } from './network-boot.ts';
import { isSameHardware, recognitionOf } from './recognition.ts';
import { recordMachineEvent } from './record-machine-event.ts';
import { replaceKey, storeFacts } from './store-machine.ts';

export interface ClaimRequest extends EnrolRequest {
  /** The single-use token's. */
  readonly machineUuid: string;
  readonly jti: string;
}

/**
 * Gives a key the record that its single-use token is for, once: a second key with the same token is refused, the same
 * key again is answered as before. A machine that has a key and still answers with it keeps it.
 * @throws ApiError 401 when the token was used or taken back, or may not give this record to this machine; 409 when the
 * record's machine is there.
 */
export async function claimMachine(enrolment: Enrolment, request: ClaimRequest): Promise<Enrolled> {
  const { db } = enrolment.context;
  let silentKey: string | null = null;
  for (;;) {
    const cleared: string | null = silentKey;
    const outcome: Outcome = transaction(db, () => claim(enrolment, request, cleared));
    if (outcome.kind === 'known') return enrolKnownKey(enrolment, request) ?? refuse(enrolment, request);
    if (outcome.kind === 'refused') return refuse(enrolment, request);
    if (outcome.kind === 'claimed') return announce(enrolment, request, outcome);
    if (!(await isSilent(enrolment, outcome.holder))) {
      throw new ApiError(409, 'the machine that this token is for is connected with another key');
    }
    silentKey = outcome.holder.publicKey;
  }
}

type Outcome =
  | { readonly kind: 'known' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'ask'; readonly holder: KeyHolder }
  | { readonly kind: 'claimed'; readonly hadKey: boolean; readonly changed: readonly string[] };

function claim(enrolment: Enrolment, request: ClaimRequest, silentKey: string | null): Outcome {
  const { context } = enrolment;
  const { machineUuid, jti, publicKey, facts } = request;
  if (context.db.prepare('SELECT 1 FROM machines WHERE public_key = ?').get(publicKey)) return { kind: 'known' };
  const row = context.db
    .prepare(
      `SELECT public_key, key_since, facts, macs, was_installed, operator_mark_until
       FROM machines JOIN boot_tokens ON boot_tokens.machine_uuid = machines.uuid
       WHERE machines.uuid = ? AND jti = ? AND used_at IS NULL`,
    )
    .get(machineUuid, jti);
  if (row === undefined || !mayClaim(row, facts, context.clock.now())) return { kind: 'refused' };
  const heldKey = textOrNull(row, 'public_key');
  if (heldKey !== null && heldKey !== silentKey) {
    const keySinceMs = timeOrNull(row, 'key_since') ?? 0;
    return { kind: 'ask', holder: { uuid: machineUuid, publicKey: heldKey, keySinceMs } };
  }
  context.db.prepare('UPDATE boot_tokens SET used_at = ? WHERE jti = ?').run(timestampOf(context.clock), jti);
  replaceKey(context, machineUuid, publicKey);
  storeFacts(context, machineUuid, facts, textList(row, 'macs'));
  recordMachineEvent(context, {
    machineUuid,
    kind: heldKey === null ? 'enrolled' : 'rekeyed',
    message: `enrolled from ${request.address} with ${request.by}`,
    facts: { address: request.address },
  });
  const marked = markDuplicates(context, machineUuid, recognitionOf(facts));
  return { kind: 'claimed', hadKey: heldKey !== null, changed: [machineUuid, ...marked] };
}

/**
 * The token says only that somebody knew a MAC of a marked machine. So it gives the record of a machine that has not
 * enrolled, and of one that was never installed to the same hardware (protocol.md, "Machine identity"); any other only
 * when an operator has marked the machine himself. It may have been installed since the token was given.
 */
function mayClaim(row: Row, facts: MachineFacts, nowMs: number): boolean {
  // A token that was given at the very end of the mark lives on for a while.
  if (isMarkedByOperator(row, nowMs - bootTokenLifetimeMs)) return true;
  if (boolean(row, 'was_installed')) return false;
  if (textOrNull(row, 'public_key') === null) return true;
  return isSameHardware(recognitionOf(machineFactsSchema.parse(json(row, 'facts'))), recognitionOf(facts));
}

function announce(
  { context, counters, hub }: Enrolment,
  { machineUuid }: ClaimRequest,
  { hadKey, changed }: { readonly hadKey: boolean; readonly changed: readonly string[] },
): Enrolled {
  counters.enrolled += 1;
  if (hadKey) {
    counters.rekeyed += 1;
    hub.disconnect(machineUuid, closeCodes.unauthorized, 'the machine has enrolled with another key');
  }
  for (const uuid of changed) context.events.publish({ type: 'machine', uuid });
  return { machineUuid, isNew: true };
}

function refuse(enrolment: Enrolment, { address }: ClaimRequest): never {
  throw enrolment.refuseToken(address, 'invalid');
}
