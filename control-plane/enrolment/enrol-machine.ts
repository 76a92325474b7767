import { closeCodes } from '../../protocol/agent-frames.ts';
import type { MachineFacts } from '../../protocol/machine-facts.ts';
import { transaction } from '../store/open-database.ts';
import type { Enrolment } from './enrolment.ts';
import { findRekeyCandidate, type KeyHolder, machineOfKey } from './find-machines.ts';
import { isSilent } from './is-silent.ts';
import { markDuplicates } from './mark-duplicates.ts';
import { recognitionOf } from './recognition.ts';
import { recordMachineEvent } from './record-machine-event.ts';
import { insertMachine, replaceKey, storeFacts } from './store-machine.ts';

export interface EnrolRequest {
  /** Ed25519 x of the JWK. */
  readonly publicKey: string;
  readonly facts: MachineFacts;
  readonly address: string;
  /** What let the machine in, for its record: `a token made by …`. */
  readonly by: string;
  /** Runs in the transaction that gives the key its record, before anything is written; refuses by throwing. */
  readonly admit?: () => void;
  /** Runs at the end of that transaction. */
  readonly onSettled?: (machineUuid: string) => void;
}

export interface Enrolled {
  readonly machineUuid: string;
  /** False when the key was known. */
  readonly isNew: boolean;
}

/** How often another enrolment of the same hardware may come between before the machine just gets a record of its own. */
const maxRounds = 4;

type Settled = { readonly enrolled: Enrolled; readonly changed: readonly string[]; readonly lostKey: string | null };
type Outcome = Settled | { readonly ask: KeyHolder };
/** A machine that was asked whether it is there, and what came of it. */
type Asked = { readonly candidate: KeyHolder; readonly isSilent: boolean };

/**
 * Gives a key its machine (protocol.md, "Machine identity"): the one that has the key, the never-installed one with the
 * same hardware that has fallen silent, or a new one, marked where it looks like another. Each look and its writes are
 * one transaction; when a machine has to be asked whether it is there, everything is looked at again afterwards, so that
 * two enrolments at once see each other.
 */
export async function enrolMachine(enrolment: Enrolment, request: EnrolRequest): Promise<Enrolled> {
  let asked: Asked | null = null;
  for (let round = 0; ; round += 1) {
    const mayAsk = round < maxRounds;
    const answer: Asked | null = asked;
    const outcome: Outcome = transaction(enrolment.context.db, () => {
      const settled = settle(enrolment, request, answer, mayAsk);
      return 'enrolled' in settled ? finish(request, settled) : settled;
    });
    if ('enrolled' in outcome) return announce(enrolment, outcome);
    asked = { candidate: outcome.ask, isSilent: await isSilent(enrolment, outcome.ask) };
  }
}

/** The answer to a key that has its machine, or null for one that has none. */
export function enrolKnownKey(enrolment: Enrolment, request: EnrolRequest): Enrolled | null {
  const { db } = enrolment.context;
  const settled = transaction(db, () => {
    const known = machineOfKey(db, request.publicKey);
    return known === null ? null : finish(request, settleKnown(enrolment, request, known));
  });
  return settled === null ? null : announce(enrolment, settled);
}

function finish({ onSettled }: EnrolRequest, settled: Settled): Settled {
  onSettled?.(settled.enrolled.machineUuid);
  return settled;
}

function settle(enrolment: Enrolment, request: EnrolRequest, asked: Asked | null, mayAsk: boolean): Outcome {
  const { context } = enrolment;
  const known = machineOfKey(context.db, request.publicKey);
  if (known !== null) return settleKnown(enrolment, request, known);
  const candidate = findRekeyCandidate(context.db, context.accountUuid, recognitionOf(request.facts));
  if (candidate === null) return settleNew(enrolment, request);
  const isAnswered =
    asked !== null && asked.candidate.uuid === candidate.uuid && asked.candidate.publicKey === candidate.publicKey;
  if (isAnswered) return asked.isSilent ? settleRekeyed(enrolment, request, candidate) : settleNew(enrolment, request);
  return mayAsk ? { ask: candidate } : settleNew(enrolment, request);
}

/**
 * The request carries no proof that its sender holds the key, so all it can change are the facts of a machine that was
 * never installed; an installed one speaks for itself on its socket, signed.
 */
function settleKnown({ context }: Enrolment, request: EnrolRequest, machineUuid: string): Settled {
  request.admit?.();
  const row = context.db.prepare('SELECT was_installed FROM machines WHERE uuid = ?').get(machineUuid);
  const enrolled = { machineUuid, isNew: false };
  if (row?.['was_installed'] !== 0) return { enrolled, changed: [], lostKey: null };
  storeFacts(context, machineUuid, request.facts);
  const marked = markDuplicates(context, machineUuid, recognitionOf(request.facts));
  return { enrolled, changed: [machineUuid, ...marked], lostKey: null };
}

function settleNew({ context }: Enrolment, request: EnrolRequest): Settled {
  request.admit?.();
  const { publicKey, facts, address, by } = request;
  const machineUuid = insertMachine(context, { publicKey, facts, hostname: null });
  recordMachineEvent(context, {
    machineUuid,
    kind: 'enrolled',
    message: `enrolled from ${address} with ${by}`,
    facts: { address },
  });
  const marked = markDuplicates(context, machineUuid, recognitionOf(facts));
  return { enrolled: { machineUuid, isNew: true }, changed: [machineUuid, ...marked], lostKey: null };
}

function settleRekeyed({ context, counters }: Enrolment, request: EnrolRequest, { uuid }: KeyHolder): Settled {
  request.admit?.();
  const { publicKey, facts, address, by } = request;
  replaceKey(context, uuid, publicKey);
  storeFacts(context, uuid, facts);
  recordMachineEvent(context, {
    machineUuid: uuid,
    kind: 'rekeyed',
    message: `enrolled again from ${address} with ${by}: the same hardware with a new key`,
    facts: { address },
  });
  counters.rekeyed += 1;
  return { enrolled: { machineUuid: uuid, isNew: true }, changed: [uuid], lostKey: uuid };
}

/** After the transaction: what others are told. */
function announce({ context, counters, hub }: Enrolment, { enrolled, changed, lostKey }: Settled): Enrolled {
  if (enrolled.isNew) counters.enrolled += 1;
  else counters.enrolledAgain += 1;
  if (lostKey !== null) hub.disconnect(lostKey, closeCodes.unauthorized, 'the machine has enrolled with another key');
  for (const uuid of changed) context.events.publish({ type: 'machine', uuid });
  return enrolled;
}
