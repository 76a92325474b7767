import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseCloudInitStatus, watchCloudInit } from '../../../../agent/installed/watch-cloud-init.ts';
import type { Report } from '../../../../agent/link/outbox-frames.ts';
import { Resources } from '../../../resources.ts';

const rows: readonly (readonly [string, string, ReturnType<typeof parseCloudInitStatus>])[] = [
  ['done', '{"status": "done", "errors": []}', { status: 'done', errors: [] }],
  ['dots before it (22.x)', '....\n{"status": "done", "errors": []}', { status: 'done', errors: [] }],
  [
    'warnings are no errors (24.x)',
    '{"status": "done", "extended_status": "degraded done", "errors": [], "recoverable_errors": {"WARNING": ["x"], "DEPRECATED": ["y"]}}',
    { status: 'done', errors: [] },
  ],
  [
    'recoverable errors are',
    '{"status": "done", "errors": [], "recoverable_errors": {"ERROR": ["module failed"]}}',
    { status: 'error', errors: ['module failed'] },
  ],
  ['an error', '{"status": "error", "errors": ["a", "a", "b"]}', { status: 'error', errors: ['a', 'b'] }],
  ['an error without a text', '{"status": "error"}', { status: 'error', errors: ['cloud-init ended as error'] }],
  ['switched off', '{"status": "disabled", "errors": []}', { status: 'absent', errors: [] }],
  ['nothing', '', { status: 'error', errors: ['cloud-init status said nothing understandable'] }],
  ['other JSON', '{"x": 1}', { status: 'error', errors: ['cloud-init status said nothing understandable'] }],
];
for (const [name, stdout, expected] of rows) {
  test(`cloud-init status: ${name}`, () => {
    assert.deepEqual(parseCloudInitStatus(stdout), expected);
  });
}

const provisionUuid = '11111111-2222-4333-8444-555555555555';

function watch(
  stateDir: string,
  program: string,
  { signal = new AbortController().signal, resultFile = '/nonexistent' } = {},
) {
  const reports: Report[] = [];
  const report = (each: Report): void => void reports.push(each);
  const ended = watchCloudInit({
    provisionUuid,
    stateDir,
    report,
    onProblem: assert.fail,
    signal,
    program,
    resultFile,
  });
  return { reports, ended };
}

function programOf(resources: Resources, script: string): string {
  const program = join(resources.tempDir(), 'cloud-init');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  return program;
}

test('the end of cloud-init is waited for and reported once per provision', async () => {
  await using resources = new Resources();
  const stateDir = resources.tempDir();
  const script = `[ "$*" = "status --wait --format json" ] && echo '{"status": "done", "errors": []}'; exit 2`;
  const program = programOf(resources, script);
  for (const count of [1, 0]) {
    const { reports, ended } = watch(stateDir, program);
    await ended;
    const expected: Report = { type: 'cloud_init_result', provision_uuid: provisionUuid, status: 'done', errors: [] };
    assert.deepEqual(reports, count === 1 ? [expected] : []);
  }
});

test('a system without cloud-init says so', async () => {
  await using resources = new Resources();
  const { reports, ended } = watch(resources.tempDir(), 'no-cloud-init-here');
  await ended;
  assert.deepEqual(reports, [
    { type: 'cloud_init_result', provision_uuid: provisionUuid, status: 'absent', errors: [] },
  ]);
});

test('a wait that is aborted reports nothing, and the next start waits again', async () => {
  await using resources = new Resources();
  const stateDir = resources.tempDir();
  const controller = new AbortController();
  const { reports, ended } = watch(stateDir, programOf(resources, 'exec sleep 60'), { signal: controller.signal });
  controller.abort();
  await ended;
  assert.deepEqual(reports, []);
  const next = watch(stateDir, programOf(resources, `echo '{"status": "done"}'`));
  await next.ended;
  assert.equal(next.reports.length, 1);
});

/** As 20.4 of Debian 11 does: argparse refuses the option, on standard error. */
const oldProgram = (status: string): string => `case "$*" in
  "status --wait --long") printf '....\\nstatus: ${status}\\ntime: Thu, 01 Jan 1970\\ndetail:\\nDataSourceNoCloud\\n' ;;
  *) echo 'cloud-init: error: unrecognized arguments: --format json' >&2; exit 2 ;;
esac`;

const oldRows: readonly (readonly [string, string | null, object])[] = [
  ['done', '{"v1": {"datasource": "DataSourceNoCloud", "errors": []}}', { status: 'done', errors: [] }],
  ['done', null, { status: 'done', errors: [] }],
  ['error', '{"v1": {"errors": ["module users failed"]}}', { status: 'error', errors: ['module users failed'] }],
  ['done', '{"v1": {"errors": ["a key was not read"]}}', { status: 'error', errors: ['a key was not read'] }],
  ['error', null, { status: 'error', errors: ['cloud-init ended as error'] }],
  ['disabled', null, { status: 'absent', errors: [] }],
];
for (const [status, result, expected] of oldRows) {
  test(`a cloud-init without --format: ${status}, ${result ?? 'no result file'}`, async () => {
    await using resources = new Resources();
    const resultFile = join(resources.tempDir(), 'result.json');
    if (result !== null) writeFileSync(resultFile, result);
    const { reports, ended } = watch(resources.tempDir(), programOf(resources, oldProgram(status)), { resultFile });
    await ended;
    assert.deepEqual(reports, [{ type: 'cloud_init_result', provision_uuid: provisionUuid, ...expected }]);
  });
}

test('a cloud-init that answers nothing at all is an error, not an endless wait', async () => {
  await using resources = new Resources();
  const { reports, ended } = watch(resources.tempDir(), programOf(resources, 'exit 2'));
  await ended;
  const [report] = reports;
  assert.ok(report?.type === 'cloud_init_result' && report.status === 'error');
  assert.match(report.errors.join(), /nothing understandable/);
});
