import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Approval } from '../../protocol/api/approvals.ts';
import type { ApprovalBody, ApprovalCreated, ApprovalStatus } from '../../protocol/enrolment.ts';
import { machineFactsSchema } from '../../protocol/machine-facts.ts';
import { type ServerContext, timestampOf } from '../context.ts';
import { notFound } from '../http/api-error.ts';
import { transaction } from '../store/open-database.ts';
import { json, type Row, text, textOrNull, timeText } from '../store/row-values.ts';
import { addressGroup } from './address-group.ts';
import { makeApprovalCode } from './approval-code.ts';
import type { Enrolment } from './enrolment.ts';
import { machineOfKey } from './find-machines.ts';

const lifetimeMs = 15 * 60 * 1000;
/** How long a decision can be asked for. */
const keptMs = 24 * 60 * 60 * 1000;
const pollSeconds = 5;

/** Codes that are valid at one time. */
export const maxPending = 2000;

/**
 * Makes a code for a key. A key has one code: asking again replaces the former, which is on no screen any more. A key
 * that has its machine needs no operator and finds itself approved, for a machine whose record was adopted and whose token
 * has expired.
 * @throws ApiError 429 when the address asked too often, or has the largest share of a full list.
 */
export function requestApproval(enrolment: Enrolment, body: ApprovalBody, address: string): ApprovalCreated {
  const { context, counters } = enrolment;
  const { db } = context;
  enrolment.admitApproval(address);
  const approvalId = randomBytes(32).toString('base64url');
  const uuid = randomUUID();
  const expiresAt = timeText(context.clock.now() + lifetimeMs);
  const publicKey = body.public_key.x;
  const code = transaction(db, () => {
    forgetOld(context);
    db.prepare("DELETE FROM approvals WHERE public_key = ? AND status = 'pending'").run(publicKey);
    const machineUuid = machineOfKey(db, publicKey);
    if (machineUuid === null) makeRoom(enrolment, addressGroup(address));
    const freeCode = findFreeCode(db);
    db.prepare(
      `INSERT INTO approvals (id_hash, uuid, code, public_key, facts, address, address_group, status, machine_uuid,
         created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      hashOf(approvalId),
      uuid,
      freeCode,
      publicKey,
      JSON.stringify(body.facts),
      address,
      addressGroup(address),
      machineUuid === null ? 'pending' : 'approved',
      machineUuid,
      timestampOf(context.clock),
      expiresAt,
    );
    return freeCode;
  });
  counters.approvalsRequested += 1;
  context.events.publish({ type: 'approval', uuid });
  return { approval_id: approvalId, code, expires_at: expiresAt, poll_seconds: pollSeconds };
}

/** What the machine is told. An id that the server does not know, any more or at all, is expired. */
export function approvalStatus(context: ServerContext, approvalId: string): ApprovalStatus {
  const row = context.db
    .prepare('SELECT status, machine_uuid, expires_at FROM approvals WHERE id_hash = ?')
    .get(hashOf(approvalId));
  if (row === undefined) return { status: 'expired' };
  const machineUuid = textOrNull(row, 'machine_uuid');
  switch (text(row, 'status')) {
    case 'approved':
      // Null: the machine was deleted since, and its key with it.
      if (machineUuid === null) return { status: 'expired' };
      return { status: 'approved', machine_uuid: machineUuid, server_time: timestampOf(context.clock) };
    case 'denied':
      return { status: 'denied' };
    default: {
      const expiresAt = text(row, 'expires_at');
      if (Date.parse(expiresAt) <= context.clock.now()) return { status: 'expired' };
      return { status: 'pending', expires_at: expiresAt };
    }
  }
}

/** Those that wait, then those that were decided in the last day; each in the order of asking. */
export function listApprovals({ db, clock }: ServerContext): Approval[] {
  const rows = db
    .prepare(
      `SELECT * FROM approvals WHERE (status = 'pending' AND expires_at > :now) OR (status <> 'pending' AND created_at > :since)
       ORDER BY status <> 'pending', rowid`,
    )
    .all({ now: timeText(clock.now()), since: timeText(clock.now() - keptMs) });
  return rows.map(toApproval);
}

/** A pending approval with its key, or null when no machine shows this code now. */
export function findPending(
  { db, clock }: ServerContext,
  code: string,
): { approval: Approval; publicKey: string } | null {
  const row = db
    .prepare("SELECT * FROM approvals WHERE code = ? AND status = 'pending' AND expires_at > ?")
    .get(code, timeText(clock.now()));
  return row === undefined ? null : { approval: toApproval(row), publicKey: text(row, 'public_key') };
}

/** @throws ApiError 404 when it was forgotten since. */
export function getApproval(db: DatabaseSync, uuid: string): Approval {
  const row = db.prepare('SELECT * FROM approvals WHERE uuid = ?').get(uuid);
  if (row === undefined) throw notFound(`approval ${uuid}`);
  return toApproval(row);
}

/** @returns False when somebody else has decided, or the machine has asked for another code. */
export function decideApproval(db: DatabaseSync, uuid: string, status: 'approved' | 'denied'): boolean {
  return (
    db.prepare("UPDATE approvals SET status = ? WHERE uuid = ? AND status = 'pending'").run(status, uuid).changes === 1
  );
}

function forgetOld({ db, clock }: ServerContext): void {
  db.prepare("DELETE FROM approvals WHERE status = 'pending' AND expires_at <= ?").run(timeText(clock.now()));
  db.prepare("DELETE FROM approvals WHERE status <> 'pending' AND created_at <= ?").run(timeText(clock.now() - keptMs));
}

/**
 * Where the list is full, the oldest code of the address that has most of them makes room, so that a flood from a few
 * addresses keeps nobody else out; the flood itself is refused.
 */
function makeRoom(enrolment: Enrolment, group: string): void {
  const { db } = enrolment.context;
  const pending = db.prepare("SELECT count(*) AS pending FROM approvals WHERE status = 'pending'").get();
  if (Number(pending?.['pending']) < maxPending) return;
  const largest = db
    .prepare(
      `SELECT address_group, count(*) AS codes, sum(address_group = ?) AS own FROM approvals WHERE status = 'pending'
       GROUP BY address_group ORDER BY codes DESC, own DESC LIMIT 1`,
    )
    .get(group);
  if (largest === undefined || text(largest, 'address_group') === group) throw enrolment.refuseApproval();
  db.prepare(
    `DELETE FROM approvals WHERE rowid =
       (SELECT min(rowid) FROM approvals WHERE status = 'pending' AND address_group = ?)`,
  ).run(text(largest, 'address_group'));
}

function findFreeCode(db: DatabaseSync): string {
  for (;;) {
    const code = makeApprovalCode();
    if (db.prepare("SELECT 1 FROM approvals WHERE code = ? AND status = 'pending'").get(code) === undefined) {
      return code;
    }
  }
}

function toApproval(row: Row): Approval {
  const status = text(row, 'status');
  return {
    uuid: text(row, 'uuid'),
    status: status === 'approved' || status === 'denied' ? status : 'pending',
    address: text(row, 'address'),
    facts: machineFactsSchema.parse(json(row, 'facts')),
    machine_uuid: textOrNull(row, 'machine_uuid'),
    created_at: text(row, 'created_at'),
    expires_at: text(row, 'expires_at'),
  };
}

function hashOf(approvalId: string): string {
  return createHash('sha256').update(approvalId).digest('hex');
}
