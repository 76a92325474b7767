import { randomInt } from 'node:crypto';
import { approvalCodeAlphabet } from '../../protocol/enrolment.ts';

/** A random code, `A3C-DEF`. */
export function makeApprovalCode(): string {
  const letters = Array.from({ length: 6 }, () => approvalCodeAlphabet[randomInt(approvalCodeAlphabet.length)]);
  return `${letters.slice(0, 3).join('')}-${letters.slice(3).join('')}`;
}

/** What a person typed, in the form in which codes are kept; what can be no code stays what it is and fits none. */
export function canonicalApprovalCode(typed: string): string {
  const letters = typed.toUpperCase().replaceAll(/[\s-]/g, '');
  return `${letters.slice(0, 3)}-${letters.slice(3)}`;
}
