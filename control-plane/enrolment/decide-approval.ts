import type { Approval } from '../../protocol/api/approvals.ts';
import { transaction } from '../store/open-database.ts';
import { canonicalApprovalCode } from './approval-code.ts';
import { decideApproval, findPending, getApproval } from './approvals.ts';
import { enrolMachine } from './enrol-machine.ts';
import type { Enrolment } from './enrolment.ts';

export interface CodeEntry {
  readonly code: string;
  readonly action: 'preview' | 'approve' | 'deny';
  readonly accountUuid: string;
  readonly address: string;
}

/**
 * What an operator does with the code that he reads on a machine's screen. A code can be decided about once.
 * @throws ApiError 404 for a code that no machine shows, 429 after too many of those.
 */
export async function enterCode(enrolment: Enrolment, entry: CodeEntry): Promise<Approval> {
  const { context, counters } = enrolment;
  enrolment.admitCode(entry.accountUuid, entry.address);
  const found = findPending(context, canonicalApprovalCode(entry.code));
  if (found === null) throw enrolment.refuseCode(entry.accountUuid, entry.address);
  const { approval, publicKey } = found;
  if (entry.action === 'preview') return approval;
  const decide = (status: 'approved' | 'denied'): void => {
    if (!decideApproval(context.db, approval.uuid, status)) {
      throw enrolment.refuseCode(entry.accountUuid, entry.address);
    }
  };
  if (entry.action === 'deny') {
    transaction(context.db, () => decide('denied'));
    counters.approvalsDenied += 1;
  } else {
    const { facts, address } = approval;
    const setMachine = context.db.prepare('UPDATE approvals SET machine_uuid = ? WHERE uuid = ?');
    await enrolMachine(enrolment, {
      publicKey,
      facts,
      address,
      by: 'an approval code',
      admit: () => decide('approved'),
      onSettled: (machineUuid) => setMachine.run(machineUuid, approval.uuid),
    });
    counters.approvalsApproved += 1;
  }
  context.events.publish({ type: 'approval', uuid: approval.uuid });
  return getApproval(context.db, approval.uuid);
}
