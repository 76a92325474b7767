import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { awaitEnrolment, type Enrolment, untilEnrolmentChanges } from '../../../../agent/config/await-enrolment.ts';
import type { AgentEvent } from '../../../../agent/run-agent.ts';
import { Resources, waitFor } from '../../../resources.ts';

const key = 'A'.repeat(43);
const jwk = { kty: 'OKP', crv: 'Ed25519', x: key };
const identity = JSON.stringify({
  machine_uuid: '11111111-2222-4333-8444-555555555555',
  public_key: jwk,
  private_key: { ...jwk, d: key },
});

interface Waiting extends AsyncDisposable {
  readonly configFile: string;
  readonly identityFile: string;
  readonly events: AgentEvent[];
  readonly result: Promise<Enrolment | null>;
  /** How often the loop has asked whether to stop: more than once a look. */
  readonly looks: () => number;
  readonly stop: () => void;
}

/** Starts to wait for files in folders that do not exist. */
function start(pollMs: number): Waiting {
  const resources = new Resources();
  const dir = resources.tempDir();
  const configFile = join(dir, 'etc/durantic/agent.yaml');
  const identityFile = join(dir, 'var/lib/durantic/identity.json');
  const events: AgentEvent[] = [];
  const controller = new AbortController();
  let looks = 0;
  const stopped = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted');
  Object.defineProperty(controller.signal, 'aborted', {
    get: () => {
      looks += 1;
      return stopped?.get?.call(controller.signal);
    },
  });
  const onEvent = (event: AgentEvent): void => {
    events.push(event);
  };
  const result = awaitEnrolment({ configFile, identityFile, onEvent, signal: controller.signal, pollMs });
  const stop = (): void => controller.abort();
  resources.defer('stop waiting', async () => {
    stop();
    await result;
  });
  return {
    configFile,
    identityFile,
    events,
    result,
    looks: () => looks,
    stop,
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  };
}

function put(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

test('says once that the machine is not enrolled, and notices both files without polling', {
  timeout: 5000,
}, async () => {
  await using waiting = start(2 ** 30);
  const { configFile, identityFile, events } = waiting;
  assert.deepEqual(events, [{ kind: 'not_enrolled', missing: [configFile, identityFile] }]);
  put(configFile, 'server: https://x.test\n');
  put(identityFile, identity);
  const enrolment = await waiting.result;
  assert.equal(enrolment?.config.server, 'https://x.test');
  assert.equal(enrolment?.identity.machine_uuid, '11111111-2222-4333-8444-555555555555');
  assert.equal(events.filter(({ kind }) => kind === 'not_enrolled').length, 1);
});

test('a wrong file is told once with what is wrong, and waited out', { timeout: 5000 }, async () => {
  await using waiting = start(20);
  const { configFile, identityFile, events } = waiting;
  put(identityFile, identity);
  put(configFile, 'sever: x\n');
  await waitFor('the first problem', () => events.some((event) => event.kind === 'enrolment_invalid'));
  // Not told again while nothing changes: a look every 20 ms finds the same.
  rmSync(configFile);
  put(configFile, 'server: ftp://x\n');
  await waitFor('the second problem', () => events.filter(({ kind }) => kind === 'enrolment_invalid').length >= 2);
  put(configFile, 'server: https://x.test\n');
  assert.notEqual(await waiting.result, null);
  const problems = events.flatMap((event) => (event.kind === 'enrolment_invalid' ? [event.message] : []));
  assert.deepEqual([...new Set(problems)], problems);
});

test('polling finds what no watch has seen, and repeats nothing', { timeout: 5000 }, async () => {
  await using waiting = start(5);
  const before = waiting.looks();
  await waitFor('some looks', () => waiting.looks() > before + 20);
  assert.deepEqual(
    waiting.events.map(({ kind }) => kind),
    ['not_enrolled'],
  );
  put(waiting.configFile, 'server: https://x.test\n');
  put(waiting.identityFile, identity);
  assert.notEqual(await waiting.result, null);
});

test('ends at once when aborted', { timeout: 1000 }, async () => {
  await using waiting = start(2 ** 30);
  waiting.stop();
  assert.equal(await waiting.result, null);
});

test('another valid enrolment is noticed; a file that is gone or not valid changes nothing and is told once', {
  timeout: 5000,
}, async () => {
  await using waiting = start(20);
  const { configFile, identityFile } = waiting;
  put(configFile, 'server: https://x.test\n');
  put(identityFile, identity);
  const enrolment = await waiting.result;
  if (enrolment === null) return assert.fail('there is an enrolment');
  const events: AgentEvent[] = [];
  const controller = new AbortController();
  let hasChanged = false;
  const changes = untilEnrolmentChanges(enrolment, {
    configFile,
    identityFile,
    onEvent: (event) => events.push(event),
    signal: controller.signal,
    pollMs: 5,
  }).then(() => {
    hasChanged = true;
  });
  put(configFile, '# the same\nserver: https://x.test\n');
  put(configFile, 'sever: https://x.test\n');
  await waitFor('the problem', () => events.length > 0);
  rmSync(configFile);
  put(configFile, 'server: https://x.test\n');
  assert.equal(hasChanged, false);
  put(configFile, 'server: https://y.test\n');
  await changes;
  assert.deepEqual(
    events.map((event) => (event.kind === 'problem' ? event.message : '')),
    [`${configFile}, line 1: sever: is no key of agent.yaml; what was read before still counts`],
  );
});
