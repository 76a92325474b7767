import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceStatus } from '../../../../agent/installed/service-status.ts';
import type { AgentEvent } from '../../../../agent/run-agent.ts';

const server = 'https://10.0.0.5:8443';
const lost: AgentEvent = {
  kind: 'disconnected',
  code: 'link_lost',
  message: 'the server 10.0.0.5 is gone',
  retryInMs: 7,
  isNew: true,
};

const steps: readonly (readonly [AgentEvent, string | null])[] = [
  [
    { kind: 'not_enrolled', missing: ['/a', '/b'] },
    'not enrolled: waiting for /a and /b, which "durantic enroll" and install.sh make',
  ],
  [{ kind: 'enrolment_invalid', message: '/a is not valid' }, 'not enrolled: /a is not valid'],
  [{ kind: 'connecting', server }, `connecting to ${server}`],
  [lost, 'not connected, and trying again: the server 10.0.0.5 is gone'],
  // Attempts that fail alike change nothing.
  [{ kind: 'connecting', server }, null],
  [{ ...lost, retryInMs: 60_000, isNew: false }, null],
  [{ kind: 'connected', server, machineUuid: 'u' }, `connected to ${server} as machine u`],
  [
    { kind: 'problem', message: 'the outbox cannot be written' },
    `connected to ${server} as machine u; trouble: the outbox cannot be written`,
  ],
  [{ kind: 'oddity', message: 'a frame' }, null],
  [lost, 'not connected, and trying again: the server 10.0.0.5 is gone; trouble: the outbox cannot be written'],
  [{ kind: 'connected', server, machineUuid: 'u' }, `connected to ${server} as machine u`],
  // Another configuration: there was nothing wrong before.
  [{ kind: 'connecting', server }, `connecting to ${server}`],
];

test('the status is one sentence about the link, with the trouble since the last connection', () => {
  const status = new ServiceStatus();
  assert.deepEqual(
    steps.map(([event]) => status.take(event)),
    steps.map(([, sentence]) => sentence),
  );
});
