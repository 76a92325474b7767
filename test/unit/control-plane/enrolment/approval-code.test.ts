import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalApprovalCode, makeApprovalCode } from '../../../../control-plane/enrolment/approval-code.ts';
import { approvalCodeSchema } from '../../../../protocol/enrolment.ts';

test('codes have the form that machines show, and every letter comes up', () => {
  const codes = Array.from({ length: 2000 }, makeApprovalCode);
  for (const code of codes) assert.ok(approvalCodeSchema.safeParse(code).success, code);
  assert.equal(new Set(codes.join('').replaceAll('-', '')).size, 23);
  assert.ok(new Set(codes).size > 1990);
});

test('what a person types is understood', () => {
  for (const typed of ['A3C-DEF', 'a3c-def', 'A3CDEF', ' a3c def ', 'a-3-c-d-e-f']) {
    assert.equal(canonicalApprovalCode(typed), 'A3C-DEF');
  }
  for (const typed of ['A3C-DEFG', 'A3C-DE', '', '%', 'A3C-DE0']) {
    assert.notEqual(canonicalApprovalCode(typed), 'A3C-DEF');
  }
});
