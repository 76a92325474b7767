import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { loadTable, runAgentLoad } from './agent-load.ts';

const seconds = Number(process.env['LOAD_SECONDS'] ?? 300);

test(`5,000 agents with TLS and heartbeats for ${seconds} s`, async (t) => {
  await using resources = new Resources();
  const report = await runAgentLoad(resources, { agents: 5000, seconds });
  t.diagnostic(`\n${loadTable(report)}`);
  assert.equal(report.serverErrors, '');
  assert.equal(report.fewestOnline, 5000);
  assert.equal(report.closes, 0);
  assert.ok(
    report.oldestHeartbeatMs < 20_000 + Math.max(0, report.longestFleetPauseMs - 10_000),
    `${report.oldestHeartbeatMs} ms`,
  );
});
