import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { TroubleBoard } from '../../../../installer/enrolment/trouble-board.ts';
import { troubleOf } from '../../../../installer/enrolment/trouble-of.ts';
import type { InstallerEvent } from '../../../../installer/state/installer-events.ts';

const clockError = new ProvisionError('clock_wrong', 'the certificate is not valid yet at 1970-01-01T00:00:10.000Z');

test('F11 a wrong clock without a pin says what sets it; with one, which clocks to compare', () => {
  const without = troubleOf(clockError, { hasPin: false, retryInMs: 1500, now: () => 10_000 });
  assert.equal(without.code, 'clock_wrong');
  assert.match(without.what, /not valid yet at 1970/);
  assert.match(without.todo, /firmware's setup, or boot with durantic\.pin=sha256:/);
  assert.equal(without.retryAtMs, 11_500);
  assert.match(troubleOf(clockError, { hasPin: true, retryInMs: null }).todo, /one of them is wrong/);
});

test('every failure of enrolment has a sentence of its own on what to do', () => {
  const codes = [
    ...(['token_refused', 'token_expired', 'approval_denied', 'server_unreachable', 'server_error'] as const),
    ...(['server_pin_mismatch', 'server_untrusted', 'clock_wrong', 'machine_unknown', 'agent_refused'] as const),
    ...(['server_answer_invalid', 'protocol_unsupported', 'agent_replaced', 'link_lost'] as const),
  ];
  const sentences = codes.map((code) => {
    const { todo } = troubleOf(new ProvisionError(code, 'it happened'), { hasPin: false, retryInMs: null });
    assert.match(todo, /^[A-Z].*\.$/, code);
    return todo;
  });
  assert.equal(
    new Set(sentences.map((text) => text.slice(0, 60))).size,
    codes.length - 1,
    'two kinds of refused tokens',
  );
});

test('the most pressing trouble is shown, and the one below it when it is gone; the same is said once', () => {
  const events: InstallerEvent[] = [];
  const board = new TroubleBoard((event) => void events.push(event));
  const [token, server] = (['token_expired', 'server_unreachable'] as const).map((code) =>
    troubleOf(new ProvisionError(code, code), { hasPin: true, retryInMs: null }),
  );
  assert.ok(token !== undefined && server !== undefined);
  board.set('token', token);
  board.set('server', server);
  board.set('server', { ...server });
  board.clear('server');
  board.clear('approval', 'token');
  board.clear('token');
  assert.deepEqual(
    events.map((event) => (event.kind === 'trouble' ? (event.trouble?.code ?? null) : 'other')),
    ['token_expired', 'server_unreachable', 'token_expired', null],
  );
});

test('what helps against a server that cannot be reached depends on what the links have found', () => {
  const todo = (errno: string): string =>
    troubleOf(new ProvisionError('server_unreachable', 'no', { facts: { errno } }), { hasPin: true, retryInMs: null })
      .todo;
  assert.match(todo('EACCES'), /^Let DHCP \(or ip=\) name a router/);
  assert.match(todo('ECONNREFUSED'), /^Start the durantic server/);
  assert.match(todo(''), /^Check that the durantic server runs/);
});
