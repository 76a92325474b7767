import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { machineIdentitySchema } from '../../../agent/identity/read-identity.ts';
import { runInstalledAgent } from '../../../agent/run-installed-agent.ts';
import type { Provision } from '../../../protocol/api/provisions.ts';
import { collectingLogger } from '../../builders/collecting-logger.ts';
import { type InstallingRun, startInstallingRun } from '../../builders/installing-run.ts';
import { minuteMs } from '../../builders/run-inputs.ts';
import { Resources, waitFor } from '../../resources.ts';

interface InstalledMachine extends InstallingRun {
  /** Starts the daemon on the installed system; the given function stops it. */
  startAgent(): { stop(): Promise<void>; isConnected(): boolean };
  /** What `cloud-init status --wait` of the system does. */
  cloudInit(script: string): void;
  /** How often cloud-init was asked. */
  asked(): number;
  results(): number;
}

/** A run whose machine has left for the installed system, which is this program with the files that injection writes. */
async function installed(resources: Resources): Promise<InstalledMachine> {
  const run = await startInstallingRun(resources);
  const { server, machine, uuid } = run;
  await machine.install(uuid);
  machine.off();
  const dir = resources.tempDir();
  const [configFile, stateDir, binDir] = ['agent.yaml', 'state', 'bin'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  for (const each of [stateDir, binDir]) mkdirSync(each, { mode: 0o700 });
  const { kty, crv, x, d } = machine.identity.privateKey.export({ format: 'jwk' });
  const identity = { machine_uuid: machine.uuid, public_key: { kty, crv, x }, private_key: { kty, crv, x, d } };
  const state: Record<string, object> = {
    'identity.json': machineIdentitySchema.parse(identity),
    'provision.json': {
      ...{ provision_uuid: uuid, image: 'os/tiny:1', image_digest: `sha256:${'0'.repeat(64)}` },
      ...{ installed_at: new Date().toISOString(), disk: { serial: null, wwn: null } },
    },
  };
  for (const [name, value] of Object.entries(state)) {
    writeFileSync(join(stateDir, name), JSON.stringify(value), { mode: 0o600 });
  }
  writeFileSync(configFile, `server: ${server.url}\nplain_http: true\n`, { mode: 0o600 });
  const before = process.env['PATH'];
  process.env['PATH'] = `${binDir}:${before}`;
  resources.defer('restore PATH', () => {
    process.env['PATH'] = before;
  });
  const count = join(dir, 'asked');
  const startAgent = () => {
    const controller = new AbortController();
    const { log, lines } = collectingLogger();
    const files = { configFile, stateDir, runDir: join(dir, 'run') };
    const ended = runInstalledAgent({ ...files, log, signal: controller.signal });
    const stop = async (): Promise<void> => {
      controller.abort();
      await ended;
    };
    resources.defer('stop the agent', stop);
    return { stop, isConnected: () => lines.some(({ event }) => event === 'connected') };
  };
  return {
    ...run,
    startAgent,
    cloudInit: (script) => {
      writeFileSync(join(binDir, 'cloud-init'), `#!/bin/sh\necho asked >>${count}\n${script}\n`);
      chmodSync(join(binDir, 'cloud-init'), 0o755);
    },
    asked: () => (existsSync(count) ? readFileSync(count, 'utf8').split('\n').length - 1 : 0),
    results: () => server.history(uuid).filter(({ kind }) => kind === 'cloud_init_result').length,
  };
}

const rows: readonly (readonly [string, string, Provision['status'], string | null, RegExp])[] = [
  ['ends well', `echo '{"status": "done", "errors": []}'`, 'completed', null, /^$/],
  [
    'ends with warnings only',
    `echo '{"status": "done", "errors": [], "recoverable_errors": {"WARNING": ["w"]}}'; exit 2`,
    'completed',
    null,
    /^$/,
  ],
  [
    'ends with recoverable errors',
    `echo '{"status": "done", "errors": [], "recoverable_errors": {"ERROR": ["no such key"]}}'; exit 2`,
    'degraded',
    'cloud_init_errors',
    /no such key/,
  ],
  [
    'ends with errors',
    `echo '{"status": "error", "errors": ["module users failed"]}'; exit 1`,
    'degraded',
    'cloud_init_errors',
    /module users failed/,
  ],
  ['is switched off', `echo '{"status": "disabled", "errors": []}'`, 'completed', null, /^$/],
];
for (const [name, script, status, code, message] of rows) {
  test(`cloud-init ${name}: the run is ${status}`, async () => {
    await using resources = new Resources();
    const { cloudInit, startAgent, run } = await installed(resources);
    cloudInit(script);
    startAgent();
    await waitFor('the outcome', () => run().is_terminal);
    assert.deepEqual([run().status, run().error_code], [status, code]);
    assert.match(run().error_message, message);
  });
}

test('an agent that is started again while cloud-init runs waits again; the result comes once, whatever starts later', async () => {
  await using resources = new Resources();
  const { cloudInit, startAgent, run, asked, results } = await installed(resources);
  cloudInit('exec sleep 600');
  const first = startAgent();
  await waitFor('the question', () => asked() === 1 && run().current_step === 'cloud_init');
  await first.stop();
  assert.deepEqual([run().status, results()], ['in_progress', 0], 'an agent that stops knows no result');
  cloudInit(`echo '{"status": "done", "errors": []}'`);
  const second = startAgent();
  await waitFor('the outcome', () => run().is_terminal);
  assert.deepEqual([run().status, asked(), results()], ['completed', 2, 1]);
  await second.stop();
  const third = startAgent();
  await waitFor('the link again', () => third.isConnected());
  await third.stop();
  assert.deepEqual([asked(), results()], [2, 1]);
});

test('cloud-init that still runs ten minutes after the hello: degraded, and its late end changes nothing', async () => {
  await using resources = new Resources();
  const machine = await installed(resources);
  const { server, cloudInit, startAgent, run, uuid, asked, results } = machine;
  cloudInit(`while ! [ -e ${join(resources.tempDir(), 'never')} ]; do sleep 1; done`);
  const first = startAgent();
  await waitFor('the question', () => asked() === 1 && run().current_step === 'cloud_init');
  await server.pass(9 * minuteMs);
  assert.equal(run().status, 'in_progress');
  await server.pass(2 * minuteMs);
  await server.reached(machine.machine.uuid, uuid, 'degraded');
  assert.equal(run().error_code, 'cloud_init_unfinished');
  await first.stop();
  cloudInit(`echo '{"status": "done", "errors": []}'`);
  startAgent();
  await waitFor('the late result', () => results() === 1);
  assert.deepEqual([run().status, run().error_code], ['degraded', 'cloud_init_unfinished']);
});
